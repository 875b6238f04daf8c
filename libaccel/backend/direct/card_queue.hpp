// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What card keeps about a queue it created.
#pragma once

#include <memory>

#include <hw/oac_regs.h>

#include "card.hpp"

namespace accel::direct
{

/*
 * Stands in for a doorbell page where BAR4 is trapped: ASLEEP is set for ever, so that each store
 * is repeated as an access of the bus.
 */
struct alignas(64) trapped_page {
	std::byte bytes[OAC_DB_PAGE_SIZE]{};
};

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
	std::unique_ptr<trapped_page> page;	/* only where doorbells are trapped */
};

} // namespace accel::direct
