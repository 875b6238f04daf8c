// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See scheduler.hpp.
#include "scheduler.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace oac::emu
{

namespace
{

/* The shortest turn: long enough to be worth the change, short against what a human notices. */
constexpr std::int64_t TURN = std::int64_t{ 1 } << 17;

/* Contexts without a group are clients of their own. */
std::uint64_t client_of(const queue &of)
{
	constexpr std::uint64_t alone = std::uint64_t{ 1 } << 32;
	const context &owner = of.owner();

	return owner.group ? owner.group : alone | owner.id;
}

} // namespace

void scheduler::add(queue &fresh)
{
	const std::uint64_t client = client_of(fresh);
	auto found = std::find_if(tables_.begin(), tables_.end(), [&](const table &t) {
		return t.client == client && t.priority == fresh.priority();
	});
	seat place;

	settle();
	if (found == tables_.end()) {
		found = tables_.emplace(tables_.end());
		found->client = client;
		found->priority = fresh.priority();
		found->turn = TURN << (OAC_PRIORITY_TURN_LOG2 * fresh.priority());
	}
	place.of = &fresh;
	place.turn = TURN / OAC_WEIGHT_NORMAL * fresh.weight();
	found->seats.push_back(place);
	found->close_circle();
}

void scheduler::remove(const queue &gone)
{
	settle();
	for (table &each : tables_) {
		if (std::erase_if(each.seats, [&](const seat &s) { return s.of == &gone; }))
			each.cursor = 0;
		each.close_circle();
	}
	if (std::erase_if(tables_, [](const table &t) { return t.seats.empty(); }))
		cursor_ = 0;
}

void scheduler::reset()
{
	tables_.clear();
	cursor_ = 0;
	seat_ = nullptr;
	end_ = spent_;
}

void scheduler::table::close_circle()
{
	for (std::size_t i = 0; i < seats.size(); i++)
		seats[i].next = &seats[i + 1 == seats.size() ? 0 : i + 1];
}

/*
 * Who goes on with its turn or begins one; null: none has work. Who has work but is in debt gets
 * its turn and lets it pass; who has no work loses what is left, and its debt ages the same way.
 */
template <typename Member>
queue *scheduler::next_of(std::vector<Member> &members, std::size_t &cursor)
{
	bool has_any;

	do {
		has_any = false;
		for (std::size_t tried = 0; tried < members.size(); tried++) {
			Member &at = members[cursor];
			queue *const ready = at.ready();
			at.waits = ready != nullptr;
			if (ready) {
				if (at.credit <= 0)
					at.credit += at.turn;
				if (at.credit > 0)
					return ready;
				has_any = true;
			} else if (at.credit) {
				at.credit = at.credit > 0 ?
						    0 :
						    std::min<std::int64_t>(at.credit + at.turn, 0);
			}
			cursor = cursor + 1 == members.size() ? 0 : cursor + 1;
		}
		if (has_any)
			skip_rounds(members);
	} while (has_any);
	return nullptr;
}

/* All that have work are in debt: as many rounds at once as pass before the first is out of it. */
template <typename Member>
void scheduler::skip_rounds(std::vector<Member> &members)
{
	std::int64_t rounds = std::numeric_limits<std::int64_t>::max();

	for (const Member &each : members) {
		if (each.waits)
			rounds = std::min(rounds, -each.credit / each.turn);
	}
	for (Member &each : members) {
		/* none is in for more than rounds turns, but one that has no work */
		const std::int64_t owed = std::min(rounds, -each.credit / each.turn);
		each.credit += owed * each.turn;
	}
}

queue *scheduler::table::ready()
{
	return next_of(seats, cursor);
}

std::int64_t scheduler::run_one()
{
	if (spent_ >= end_)
		settle();
	if (!has_current())
		return 0;
	const std::int64_t cost = seat_->of->run();
	spent_ += cost;
	return cost;
}

/* Makes sure that whose turn it is has work. false: none has. */
bool scheduler::has_current()
{
	if (!seat_)
		return choose();
	const queue &at = *seat_->of;
	if (at.has_commands(at.pending()))
		return true;
	seat &next = *seat_->next;
	if (!can_pass(at, next) || !next.of->has_commands(next.of->pending()))
		return choose();
	pass_on(next, spent_);
	return true;
}

/* Looks at everybody, also at what is not a command. false: none has work. */
bool scheduler::choose()
{
	if (seat_ && seat_->of->poll())
		return true;
	settle();
	if (!next_of(tables_, cursor_))
		return false;
	table &at = tables_[cursor_];
	seat_ = &at.seats[at.cursor];
	seat_end_ = std::exchange(seat_->credit, 0);
	table_end_ = at.credit;
	spent_ = 0;
	end_ = std::min(seat_end_, table_end_);
	return true;
}

/* Who has no credit left has had its turn. */
template <typename Member>
void scheduler::end_turn(std::vector<Member> &members, std::size_t &cursor, std::int64_t left)
{
	members[cursor].credit = left;
	if (left <= 0)
		cursor = cursor + 1 == members.size() ? 0 : cursor + 1;
}

void scheduler::settle()
{
	if (!seat_)
		return;
	table &at = tables_[cursor_];
	at.cursor = static_cast<std::size_t>(seat_ - at.seats.data());
	end_turn(at.seats, at.cursor, seat_end_ - spent_);
	end_turn(tables_, cursor_, table_end_ - spent_);
	seat_ = nullptr;
	end_ = spent_;
}

} // namespace oac::emu
