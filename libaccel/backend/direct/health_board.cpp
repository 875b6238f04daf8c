// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See health_board.hpp.
#include "health_board.hpp"

#include <algorithm>
#include <ctime>

#include "clock.hpp"

namespace accel::direct
{

namespace
{

struct meaning {
	std::uint32_t state;
	std::uint32_t action;
};

meaning meaning_of(std::uint32_t reason)
{
	switch (reason) {
#define X(name, state, action, text) \
	case OAC_REASON_##name: \
		return { OAC_HEALTH_##state, OAC_ACTION_##action };
		OAC_REASONS(X)
#undef X
	default:
		return { OAC_HEALTH_UNKNOWN, OAC_ACTION_NONE };
	}
}

std::uint64_t boot_ns()
{
	timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec * NS_PER_S + now.tv_nsec);
}

} // namespace

health_board::health_board(event_log &log, std::uint32_t rungs) : log_(log), rungs_allowed_(rungs)
{
	conditions_[OAC_REASON_STARTING] = 0;
	const std::lock_guard lock(mutex_);
	update_locked();
}

health_reading health_board::read() const
{
	const std::lock_guard lock(mutex_);
	return now_;
}

std::array<rung_reading, OAC_RUNG_COUNT> health_board::rungs() const
{
	const std::lock_guard lock(mutex_);
	return rungs_;
}

std::uint32_t health_board::generation() const
{
	const std::lock_guard lock(mutex_);
	return now_.generation;
}

void health_board::set(std::uint32_t reason, std::uint64_t argument)
{
	const std::lock_guard lock(mutex_);
	conditions_[reason] = argument;
	update_locked();
}

void health_board::clear(std::uint32_t reason)
{
	const std::lock_guard lock(mutex_);
	if (conditions_.erase(reason) > 0)
		update_locked();
}

/* A wrong answer is not forgotten by a reset: only another self-test can take that back. */
void health_board::count_reset()
{
	const std::lock_guard lock(mutex_);
	now_.generation++;
	std::erase_if(conditions_, [](const auto &one) {
		return one.first != OAC_REASON_STARTING && one.first != OAC_REASON_SELF_TEST;
	});
	update_locked();
}

void health_board::count_rung(std::uint32_t rung, std::uint32_t cause, bool has_helped,
			      std::uint64_t took_ns)
{
	const std::lock_guard lock(mutex_);
	rung_reading &one = rungs_[rung];
	one.tried++;
	one.helped += has_helped;
	one.last_ns = took_ns;
	one.longest_ns = std::max(one.longest_ns, took_ns);
	one.last_cause = cause;
}

void health_board::update_locked()
{
	std::pair<std::uint32_t, std::uint64_t> worst(OAC_REASON_NONE, 0);
	for (const auto &one : conditions_) {
		const unsigned badness = OAC_HEALTH_BADNESS(meaning_of(one.first).state);
		/* In order of reason: of equals the highest number. */
		if (badness >= OAC_HEALTH_BADNESS(meaning_of(worst.first).state))
			worst = one;
	}
	const meaning means = meaning_of(worst.first);
	const bool is_new = now_.reason != worst.first || now_.since_ns == 0;
	if (is_new)
		now_.since_ns = boot_ns();
	now_.state = means.state;
	now_.reason = worst.first;
	now_.action = means.action;
	now_.argument = worst.second;
	now_.rungs_allowed = rungs_allowed_;
	if (is_new)
		log_.add(OAC_EVENT_HEALTH, worst.first, now_.generation);
}

} // namespace accel::direct
