// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// First fit over the gaps between taken ranges. Linear in the number of maps, which a context has
// few of; allocation is no part of the data path.
#include "address_space.hpp"

namespace accel
{

namespace
{

/* Rounded up, or UINT64_MAX where that does not fit. */
std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment)
{
	const std::uint64_t mask = alignment - 1;
	return value > UINT64_MAX - mask ? UINT64_MAX : (value + mask) & ~mask;
}

} // namespace

std::optional<std::uint64_t> address_space::take(std::uint64_t size, std::uint64_t alignment)
{
	if (size == 0)
		return std::nullopt;
	std::uint64_t start = align_up(first_, alignment);
	for (const auto &[taken, taken_size] : taken_) {
		if (start < taken && taken - start >= size)
			break;
		start = align_up(taken + taken_size, alignment);
	}
	if (start >= end_ || end_ - start < size)
		return std::nullopt;
	taken_.emplace(start, size);
	return start;
}

std::uint64_t address_space::give(std::uint64_t start)
{
	const auto found = taken_.find(start);
	if (found == taken_.end())
		return 0;
	const std::uint64_t size = found->second;
	taken_.erase(found);
	return size;
}

std::uint64_t address_space::size_at(std::uint64_t start) const
{
	const auto found = taken_.find(start);
	return found == taken_.end() ? 0 : found->second;
}

} // namespace accel
