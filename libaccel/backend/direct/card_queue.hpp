// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What card keeps about a queue it created.
#pragma once

#include <array>
#include <memory>

#include "card.hpp"
#include "submit_page.hpp"
#include "unique_fd.hpp"

namespace accel::direct
{

struct card::queue_record {
	queue_record(interrupts &from, std::uint32_t in)
		: owner(from), line(from.take()), context(in)
	{
	}
	queue_record(const queue_record &) = delete;
	queue_record &operator=(const queue_record &) = delete;
	~queue_record() { owner.give(line); }

	interrupts &owner;
	interrupts::line line;
	std::uint32_t context;	/* the backend's number */
	std::uint64_t commands = 0;	/* completed, as of the last look at the 32-bit count */
	std::unique_ptr<submit_page> page; /* where stores are trapped or the driver's */
	std::byte *doorbell = nullptr;	/* where the library stores */
	unique_fd sleeper;	/* epoll of what a wait sleeps on; made by the first, under table_mutex_ */

	/* OAC_LOST_*: once it is lost, last is what the card said last, and never changes. */
	std::atomic<std::uint32_t> lost{ OAC_LOST_NO };
	queue_progress last;
	/* Its owner destroyed it, but the card does not let go: for the watch to end. */
	std::atomic<bool> is_orphan{ false };

	/* The watch's own. */
	std::array<std::uint64_t, 7> words{};	/* of the progress line, as of the last move */
	std::int64_t moved_ns = 0;
	std::uint64_t arm_healed = 0;		/* the request that an interrupt was made up for */
	std::uint64_t arm_due = 0;		/* one that is overdue since the last look */
};

} // namespace accel::direct
