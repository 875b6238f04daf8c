// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Host memory that a card reaches: a memory file, mapped here and at a bus address of the library's
// choosing. On the card's NUMA node where that is known. Zeroed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "address_space.hpp"
#include "bus.hpp"
#include "unique_fd.hpp"

namespace accel::direct
{

/* The bus addresses of one card. */
class bus_addresses
{
public:
	explicit bus_addresses(bus &on);
	bus &target() noexcept { return bus_; }
	/* Throws ENOSPC. */
	std::uint64_t take(std::uint64_t size, std::uint64_t alignment);
	void give(std::uint64_t address) noexcept;

private:
	bus &bus_;
	std::mutex mutex_;		/* guards space_ */
	address_space space_;
};

class host_memory
{
public:
	/* size: whole pages. Throws ENOMEM, ENOSPC, ENODEV. addresses outlives it. */
	host_memory(bus_addresses &addresses, std::size_t size);
	host_memory(const host_memory &) = delete;
	host_memory &operator=(const host_memory &) = delete;
	~host_memory();

	std::byte *data() const noexcept { return memory_.data(); }
	std::size_t size() const noexcept { return memory_.size(); }
	std::uint64_t bus_address() const noexcept { return address_; }

private:
	bus_addresses &addresses_;
	mapping memory_;
	std::uint64_t address_ = 0;
};

} // namespace accel::direct
