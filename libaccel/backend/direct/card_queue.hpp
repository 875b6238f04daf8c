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
	explicit queue_record(interrupts &from) : owner(from), line(from.take()) {}
	queue_record(const queue_record &) = delete;
	queue_record &operator=(const queue_record &) = delete;
	~queue_record() { owner.give(line); }

	interrupts &owner;
	interrupts::line line;
	std::unique_ptr<trapped_page> page;	/* only where doorbells are trapped */
};

} // namespace accel::direct
