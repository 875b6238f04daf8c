// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A program that has one of everything on a card at once: an open file, maps of every kind of memory,
// dma-bufs to and from another card, a queue at work that never ends, and whoever can wait for it,
// asleep. Then the card goes away under it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "../abi/device.hpp"
#include "../isolation/raw_client.hpp"

namespace stress
{

class holder
{
public:
	/// peer: another card's node, or the same. Throws.
	holder(const std::string &node, const std::string &peer);
	holder(const holder &) = delete;
	holder &operator=(const holder &) = delete;
	/// Waits for the sleepers: the card must have gone, or been reset.
	~holder();

	/// The card went, or was reset: everybody has been told, and all memory can be touched.
	/// Returns what is wrong; empty: nothing.
	std::string look();

private:
	using client = isolation::raw_client;

	/* Mapped by this process as well; unmapped with the holder. */
	void keep(int fd, std::uint64_t offset);
	void map_everything();
	void map_local();
	void exchange(client &from, client &to);
	void begin_work();
	void sleep();

	client own_, peer_;
	bool has_sync_;
	alignas(client::page) std::byte pinned_[2 * client::page] = {};
	std::vector<void *> views_;
	std::vector<int> fds_;
	std::uint64_t next_address_ = 0x4000000000;
	int event_ = -1, sync_file_ = -1, events_ = -1;
	std::atomic<int> wait_error_ = 0;
	std::thread waiter_, reader_;
};

} // namespace stress
