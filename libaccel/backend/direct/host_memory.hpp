// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Host memory that a card reaches: a memory file or a dma-buf, mapped here and at a bus address of
// the library's choosing. What is made here is zeroed, and on the card's NUMA node where that is
// known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "address_space.hpp"
#include "bus.hpp"
#include "error.hpp"
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
	/*
	 * Memory of somebody else: a dma-buf, or a memory file, which then cannot shrink any more.
	 * file stays the caller's. Throws EINVAL, and as above.
	 */
	struct imported {
		int file;
	};
	host_memory(bus_addresses &addresses, imported from);
	host_memory(const host_memory &) = delete;
	host_memory &operator=(const host_memory &) = delete;
	~host_memory();

	/* nullptr: its exporter allows no mapping. */
	std::byte *data() const noexcept { return memory_.data(); }
	std::size_t size() const noexcept { return size_; }
	std::uint64_t bus_address() const noexcept { return address_; }
	/* A descriptor of the memory, the caller's. Throws EMFILE. */
	int export_file() const;

private:
	bool is_open_end(const failure &failed) const noexcept;
	void attach(int file);
	void keep(unique_fd file) noexcept;

	bus_addresses &addresses_;
	std::size_t size_ = 0;
	mapping memory_;
	std::uint64_t address_ = 0;
	unique_fd file_;	/* for export; open while not too many are */
};

} // namespace accel::direct
