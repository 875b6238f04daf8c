// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What is wrong with a card, and what was done about it: a set of conditions of which the worst is
// the card's health, and the history of each rung. Tells the event log when the health changes. Any
// thread; nobody waits in here.
#pragma once

#include <map>
#include <mutex>

#include "backend.hpp"
#include "event_log.hpp"

namespace accel::direct
{

class health_board
{
public:
	/* rungs: a mask of those that there are. */
	health_board(event_log &log, std::uint32_t rungs);

	health_reading read() const;
	std::array<rung_reading, OAC_RUNG_COUNT> rungs() const;
	std::uint32_t generation() const;

	/* reason: OAC_REASON_*. */
	void set(std::uint32_t reason, std::uint64_t argument = 0);
	void clear(std::uint32_t reason);
	/* A reset: one generation further. What firmware had said of itself is void. */
	void count_reset();
	void count_rung(std::uint32_t rung, std::uint32_t cause, bool has_helped,
			std::uint64_t took_ns);

private:
	void update_locked();

	event_log &log_;
	const std::uint32_t rungs_allowed_;
	mutable std::mutex mutex_;	/* guards all below */
	std::map<std::uint32_t, std::uint64_t> conditions_;	/* argument by reason */
	health_reading now_;
	std::array<rung_reading, OAC_RUNG_COUNT> rungs_{};
};

} // namespace accel::direct
