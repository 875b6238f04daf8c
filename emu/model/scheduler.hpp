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
		std::int64_t cost = current_ ? current_->run_nops() : 0;
		if (cost == 0) [[unlikely]]
			cost = decide_and_run();
		spent_ += cost;
		if (spent_ >= seat_end_ || spent_ >= table_end_) [[unlikely]]
			settle();
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
	static void end_turn(std::vector<Member> &members, std::size_t &cursor, std::int64_t left);

	std::int64_t decide_and_run();
	bool pass_on();
	bool choose();
	void settle();

	std::vector<table> tables_;
	std::size_t cursor_ = 0;
	/*
	 * Whose turn it is, with credit left, or nobody. Meanwhile the account of seat and table is
	 * here, and both cursors are as good as seat_: settle() brings them up to date.
	 */
	queue *current_ = nullptr;
	seat *seat_ = nullptr, *first_seat_ = nullptr, *seats_end_ = nullptr;
	std::int64_t spent_ = 0, seat_end_ = 0, table_end_ = 0;
};

} // namespace oac::emu
