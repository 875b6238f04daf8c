// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card's local memory: which parts of it buffers have. Knows no admin queue: who takes a part has
// it zeroed before anybody sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "address_space.hpp"

namespace accel::direct
{

class local_pool
{
public:
	/* window: all of it as this process sees it; empty: it does not. */
	local_pool(std::string card, std::span<std::byte> window);
	/* An offset. Throws ENOSPC, EOPNOTSUPP. */
	std::uint64_t take(std::uint64_t size);
	void give(std::uint64_t offset) noexcept;
	std::uint64_t used() const;
	std::byte *at(std::uint64_t offset) const noexcept { return window_.data() + offset; }

private:
	std::string card_;
	std::span<std::byte> window_;
	mutable std::mutex mutex_;	/* guards space_ */
	address_space space_;
};

/* One part, for as long as this lives. */
class local_memory
{
public:
	/* session: with the firmware; what is in it goes with that. */
	local_memory(local_pool &pool, std::size_t size, std::uint32_t session)
		: pool_(pool), size_(size), session_(session), offset_(pool.take(size))
	{
	}
	local_memory(const local_memory &) = delete;
	local_memory &operator=(const local_memory &) = delete;
	~local_memory() { pool_.give(offset_); }

	std::byte *data() const noexcept { return pool_.at(offset_); }
	std::size_t size() const noexcept { return size_; }
	std::uint64_t offset() const noexcept { return offset_; }
	std::uint32_t session() const noexcept { return session_; }

private:
	local_pool &pool_;
	std::size_t size_;
	std::uint32_t session_;
	std::uint64_t offset_;
};

} // namespace accel::direct
