// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See local_memory.hpp.
#include "local_memory.hpp"

#include <cerrno>

#include <hw/oac_types.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

/* Large parts begin where large pages do. */
constexpr std::uint64_t LARGE = std::uint64_t{ 2 } << 20;

} // namespace

local_pool::local_pool(std::string card, std::span<std::byte> window)
	: card_(std::move(card)), window_(window), space_(0, window.size())
{
}

std::uint64_t local_pool::take(std::uint64_t size)
{
	if (window_.empty())
		throw failure(EOPNOTSUPP, "card " + card_ +
						  ": it has no local memory that this process can "
						  "map; allocate a host buffer");
	const std::lock_guard lock(mutex_);
	auto offset = space_.take(size, size >= LARGE ? LARGE : OAC_PAGE_SIZE);
	if (!offset)
		offset = space_.take(size, OAC_PAGE_SIZE);
	if (!offset)
		throw failure(ENOSPC, "card " + card_ + ": no " + std::to_string(size) +
					      " bytes of local memory are free in one piece, of " +
					      std::to_string(window_.size() - space_.used()) +
					      " free in all; free some");
	return *offset;
}

void local_pool::give(std::uint64_t offset) noexcept
{
	const std::lock_guard lock(mutex_);
	space_.give(offset);
}

std::uint64_t local_pool::used() const
{
	const std::lock_guard lock(mutex_);
	return space_.used();
}

} // namespace accel::direct
