// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whose turn it is: round robin over the queues that have work, a queue of priority p keeping its
// turn for up to 2^p batches. So no queue starves, whatever the others do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "queue.hpp"

namespace oac::emu
{

class scheduler
{
public:
	/* Sensors are looked at no less often than this while there is work. */
	static constexpr std::uint64_t TICK_NS = 250000000;

	/* One batch of one queue; false: none has work. */
	bool run_one(std::span<queue *const> live, std::uint64_t now_ns)
	{
		for (std::size_t tried = 0; tried < live.size(); tried++) {
			if (cursor_ >= live.size())
				pass_on(0);
			queue *const next = live[cursor_];
			if (!next->poll(now_ns)) {
				pass_on(cursor_ + 1);
				continue;
			}
			next->run(now_ns);
			if (++batches_ >= 1u << next->priority())
				pass_on(cursor_ + 1);
			return true;
		}
		return false;
	}

	void reset() { pass_on(0); }

private:
	void pass_on(std::size_t to)
	{
		cursor_ = to;
		batches_ = 0;
	}

	std::size_t cursor_ = 0;
	unsigned batches_ = 0; /* of the queue at the cursor, without a break */
};

} // namespace oac::emu
