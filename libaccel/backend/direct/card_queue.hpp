// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What card keeps about a queue it created.
#pragma once

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
	std::uint32_t context;
	std::uint64_t commands = 0;	/* completed, as of the last look at the 32-bit count */
	std::unique_ptr<submit_page> page; /* where stores are trapped or the driver's */
	unique_fd sleeper;	/* epoll of what a wait sleeps on; made by the first, under table_mutex_ */
};

} // namespace accel::direct
