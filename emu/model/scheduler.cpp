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
}

void scheduler::remove(const queue &gone)
{
	settle();
	for (table &each : tables_) {
		if (std::erase_if(each.seats, [&](const seat &s) { return s.of == &gone; }))
			each.cursor = 0;
	}
	if (std::erase_if(tables_, [](const table &t) { return t.seats.empty(); }))
		cursor_ = 0;
}

void scheduler::reset()
{
	tables_.clear();
	cursor_ = 0;
	current_ = nullptr;
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

/*
 * Short for choose(), if whose turn it is has no work and the next one in its table has: both as
 * usual when clients take turns. false: not this way, nothing done.
 */
[[gnu::always_inline]] inline bool scheduler::pass_on()
{
	if (current_->is_special())
		return false;
	seat *const next = seat_ + 1 == seats_end_ ? first_seat_ : seat_ + 1;
	if (next->credit != 0 || !next->of->has_commands())
		return false;
	/* the one before loses what is left: what it was lent is not given back */
	seat_ = next;
	current_ = next->of;
	seat_end_ = spent_ + next->turn;
	return true;
}

std::int64_t scheduler::decide_and_run()
{
	if (current_ && (current_->has_commands() || pass_on()))
		return current_->run();
	return choose() ? current_->run() : 0;
}

/* Looks at everybody, also at what is not a command. false: none has work. */
bool scheduler::choose()
{
	if (current_ && current_->poll())
		return true;
	settle();
	current_ = next_of(tables_, cursor_);
	if (!current_)
		return false;
	table &at = tables_[cursor_];
	first_seat_ = at.seats.data();
	seats_end_ = first_seat_ + at.seats.size();
	seat_ = first_seat_ + at.cursor;
	seat_end_ = std::exchange(seat_->credit, 0);
	table_end_ = at.credit;
	spent_ = 0;
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
	if (!current_)
		return;
	current_ = nullptr;
	table &at = tables_[cursor_];
	at.cursor = static_cast<std::size_t>(seat_ - first_seat_);
	end_turn(at.seats, at.cursor, seat_end_ - spent_);
	end_turn(tables_, cursor_, table_end_ - spent_);
}

} // namespace oac::emu
