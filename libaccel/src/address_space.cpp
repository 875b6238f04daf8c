// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Holes by address, to join them, and by size, to find one. A hole of size + alignment - 1 always
// holds an aligned range, so only the few tries below that and the case that there is no such hole
// look at more than one.
#include "address_space.hpp"

#include <iterator>
#include <new>

namespace accel
{

namespace
{

/* Holes that might fit by chance, looked at before one that is sure to. */
constexpr unsigned TRIES = 8;

/* Where in a hole the range would start. */
std::optional<std::uint64_t> place_in(std::uint64_t start, std::uint64_t hole_size,
				      std::uint64_t size, std::uint64_t alignment)
{
	const std::uint64_t skip = (alignment - (start & (alignment - 1))) & (alignment - 1);

	if (skip > hole_size || hole_size - skip < size)
		return std::nullopt;
	return start + skip;
}

} // namespace

address_space::address_space(std::uint64_t first, std::uint64_t end)
{
	if (first < end)
		add_hole(first, end - first);
}

void address_space::add_hole(std::uint64_t start, std::uint64_t size)
{
	const auto added = holes_.emplace(start, size).first;
	try {
		by_size_.emplace(size, start);
	} catch (...) {
		holes_.erase(added);
		throw;
	}
}

void address_space::remove_hole(std::uint64_t start, std::uint64_t size)
{
	holes_.erase(start);
	by_size_.erase({ size, start });
}

std::optional<address_space::hole> address_space::find(std::uint64_t size,
						       std::uint64_t alignment) const
{
	auto at = by_size_.lower_bound({ size, 0 });
	const std::uint64_t sure = size > UINT64_MAX - (alignment - 1) ? UINT64_MAX :
									 size + (alignment - 1);

	for (unsigned tries = 0; at != by_size_.end(); ++at, tries++) {
		if (tries == TRIES) {
			/* Nothing is sure to fit in a space so full: go on one by one. */
			const auto large = by_size_.lower_bound({ sure, 0 });
			if (large != by_size_.end())
				at = large;
		}
		const auto [hole_size, start] = *at;
		if (const auto fit = place_in(start, hole_size, size, alignment))
			return hole{ start, hole_size, *fit };
	}
	return std::nullopt;
}

std::optional<std::uint64_t> address_space::take(std::uint64_t size, std::uint64_t alignment)
{
	if (size == 0)
		return std::nullopt;
	const auto from = find(size, alignment);
	if (!from)
		return std::nullopt;
	const std::uint64_t before = from->fit - from->start;
	const std::uint64_t behind = from->size - before - size;

	/* What may throw comes first, and is undone. */
	const auto added = taken_.emplace(from->fit, size).first;
	try {
		if (behind > 0)
			add_hole(from->fit + size, behind);
		if (before > 0)
			by_size_.emplace(before, from->start);
	} catch (...) {
		if (behind > 0 && holes_.contains(from->fit + size))
			remove_hole(from->fit + size, behind);
		taken_.erase(added);
		throw;
	}
	by_size_.erase({ from->size, from->start });
	if (before > 0)
		holes_[from->start] = before;
	else
		holes_.erase(from->start);
	used_ += size;
	return from->fit;
}

std::uint64_t address_space::give(std::uint64_t start) noexcept
{
	const auto found = taken_.find(start);
	if (found == taken_.end())
		return 0;
	const std::uint64_t size = found->second;
	std::uint64_t hole_start = start, hole_end = start + size;

	taken_.erase(found);
	used_ -= size;
	auto next = holes_.lower_bound(start);
	if (next != holes_.end() && next->first == hole_end) {
		hole_end += next->second;
		by_size_.erase({ next->second, next->first });
		next = holes_.erase(next);
	}
	if (next != holes_.begin()) {
		const auto last = std::prev(next);
		if (last->first + last->second == start) {
			hole_start = last->first;
			remove_hole(last->first, last->second);
		}
	}
	try {
		add_hole(hole_start, hole_end - hole_start);
	} catch (const std::bad_alloc &) {
		/* The range is not found again: better than to fail in a destructor. */
	}
	return size;
}

std::uint64_t address_space::size_at(std::uint64_t start) const
{
	const auto found = taken_.find(start);
	return found == taken_.end() ? 0 : found->second;
}

} // namespace accel
