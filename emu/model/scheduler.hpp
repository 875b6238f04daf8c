// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whose turn it is, as oac_admin_context_create promises: clients share the card, each with one
// turn per priority it uses, 1 : 4 : 16 : 64 long; the queues in a turn share it by weight. Deficit
// round robin on both levels, in units of step_budget that were really used: what a step takes
// beyond the turn is a debt. So nobody gets more by more queues or bigger commands, nobody starves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue.hpp"
#include "queue_nops.hpp"

namespace oac::emu
{

class scheduler
{
public:
	void add(queue &fresh);
	void remove(const queue &gone);
	void reset();

	/*
	 * Short for run_one(), for what is most frequent by far: whose turn it is goes on with NOPs,
	 * or has no work and passes its turn to a neighbour who has some. 0: not this way.
	 */
	[[gnu::always_inline]] inline std::int64_t go_on()
	{
		const std::int64_t spent = spent_;
		if (spent >= end_) [[unlikely]]
			return 0;
		const seat *const here = seat_;
		queue *at = here->of;
		std::uint32_t rung = at->pending();
		if (!at->has_at_hand(rung)) {
			seat *const next = here->next;
			if (rung != 0 || !can_pass(*at, *next))
				return 0;
			at = next->of;
			rung = at->pending();
			if (!at->has_at_hand(rung))
				return 0;
			pass_on(*next, spent);
		}
		const std::int64_t cost = at->take_nops(rung);
		spent_ += cost;
		return cost;
	}
	/* One batch of one queue; its cost, 0 if none has work. */
	std::int64_t run_one();

private:
	/* What may still be used in this turn; in debt: what was used beyond it. */
	struct share {
		std::int64_t credit = 0, turn = 0;
		bool waits = false; /* had work when last looked at */
	};
	struct seat : share {
		queue *of = nullptr;
		seat *next = nullptr; /* in the table's circle */

		queue *ready() { return of->poll() ? of : nullptr; }
	};
	/* The queues of one client that have one priority. */
	struct table : share {
		std::uint64_t client = 0;
		unsigned priority = 0;
		std::vector<seat> seats;
		std::size_t cursor = 0;

		queue *ready();
		/* After each change of seats. */
		void close_circle();
	};

	template <typename Member>
	static queue *next_of(std::vector<Member> &members, std::size_t &cursor);
	template <typename Member>
	static void skip_rounds(std::vector<Member> &members);
	template <typename Member>
	static void end_turn(std::vector<Member> &members, std::size_t &cursor, std::int64_t left);

	/*
	 * Short for choose(), as usual when clients take turns: who has no work passes its turn to the
	 * next one in its table, which has. So much for whether it may.
	 */
	static bool can_pass(const queue &from, const seat &to)
	{
		return !from.is_special() && to.credit == 0;
	}
	/* The one before loses what is left: what it was lent is not given back. */
	void pass_on(seat &to, std::int64_t spent)
	{
		seat_ = &to;
		seat_end_ = spent + to.turn;
		end_ = std::min(seat_end_, table_end_);
	}
	bool has_current();
	bool choose();
	void settle();

	std::vector<table> tables_;
	std::size_t cursor_ = 0;
	/*
	 * Whose turn it is, with credit left, or nobody. Meanwhile the account of seat and table is
	 * here, and both cursors are as good as seat_: settle() brings them up to date.
	 */
	seat *seat_ = nullptr;
	std::int64_t spent_ = 0, seat_end_ = 0, table_end_ = 0;
	std::int64_t end_ = 0; /* the earlier of both, and not after spent_ if there is nobody */
};

} // namespace oac::emu
