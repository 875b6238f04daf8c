// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whose turn it is, as oac_admin_context_create promises: clients share the card, each with one
// turn per priority it uses, 1 : 4 : 16 : 64 long; the queues in a turn share it by weight. Deficit
// round robin on both levels, in units of step_budget that were really used: what a step takes
// beyond the turn is a debt. So nobody gets more by more queues or bigger commands, nobody starves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue.hpp"

namespace oac::emu
{

class scheduler
{
public:
	void add(queue &fresh);
	void remove(const queue &gone);
	void reset();

	/* One batch of one queue; its cost, 0 if none has work. */
	std::int64_t run_one()
	{
		/* in the middle of a turn, which is the common case, there is nothing to decide */
		if (!current_ || !current_->poll()) {
			current_ = choose();
			if (!current_)
				return 0;
		}
		const std::int64_t cost = current_->run();
		pay(cost);
		return cost;
	}

private:
	/* What may still be used in this turn; in debt: what was used beyond it. */
	struct share {
		std::int64_t credit = 0, turn = 0;
		bool waits = false; /* had work when last looked at */
	};
	struct seat : share {
		queue *of = nullptr;

		queue *ready() { return of->poll() ? of : nullptr; }
	};
	/* The queues of one client that have one priority. */
	struct table : share {
		std::uint64_t client = 0;
		unsigned priority = 0;
		std::vector<seat> seats;
		std::size_t cursor = 0;

		queue *ready();
	};

	template <typename Member>
	static queue *next_of(std::vector<Member> &members, std::size_t &cursor);
	template <typename Member>
	static void skip_rounds(std::vector<Member> &members);
	template <typename Member>
	static bool charge(std::vector<Member> &members, std::size_t &cursor, std::int64_t cost);

	queue *choose();
	void pay(std::int64_t cost);

	std::vector<table> tables_;
	std::size_t cursor_ = 0;
	queue *current_ = nullptr; /* at both cursors and with credit left, or nobody */
};

} // namespace oac::emu
