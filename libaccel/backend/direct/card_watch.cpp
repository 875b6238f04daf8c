// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Looking after a card, on a thread of its own: does it answer, is it the firmware that was started,
// does its heart beat, does each queue that has work move; and taking in the events that it reports.
// What is wrong goes to card_recovery.cpp. No lock is waited for that somebody holds while he waits
// for the card.
//
// How a hang is seen: a queue that has taken more than it completed, does not wait for a timeline
// and has not moved its progress line for ACCEL_HANG_MS. Firmware is silent when its heartbeat stood
// still twice in a row. An interrupt that got lost is made up for on the way.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/eventfd.h>

#include <hw/oac_regs.h>

#include "card_queue.hpp"
#include "clock.hpp"
#include "error.hpp"
#include "event_of.hpp"

namespace accel::direct
{

namespace
{

/* Signals may come as fast as admin commands do. */
constexpr std::int64_t LOOK_MIN_NS = 5 * NS_PER_MS;
constexpr std::int64_t BEAT_MAX_NS = 500 * NS_PER_MS;
constexpr std::int64_t BEATS_PER_HANG = 4;
constexpr unsigned MISSES = 2;

std::uint64_t load_word(const std::byte *at)
{
	return std::atomic_ref(*reinterpret_cast<std::uint64_t *>(const_cast<std::byte *>(at)))
		.load(std::memory_order_relaxed);
}

} // namespace

/* Before the first boot, and so before anything of ours can have gone wrong. */
void card::forget_signs()
{
	try {
		next_event_ = std::uint64_t{ bus_->read32(OAC_REG_EVENT_SEQ) } + 1;
	} catch (const failure &refused) {
		if (refused.code().value() == ENODEV)
			throw;
		has_event_register_ = false;
	}
}

/* The watch thread's: when to look next. */
std::int64_t card::look_after() noexcept
{
	const work_lock work(work_mutex_, std::try_to_lock);
	const std::int64_t now = now_ns();
	const std::int64_t period = std::min(hang_ns_ / BEATS_PER_HANG, BEAT_MAX_NS);
	if (!work)
		return now + period;
	if (is_over_)
		return INT64_MAX;
	if (now < look_not_before_ && admin_cause_ == OAC_CAUSE_NONE && !bus_->is_dead())
		return look_not_before_;
	look_not_before_ = now + LOOK_MIN_NS;
	try {
		if (!is_gone())
			check_up(now);
	} catch (const std::exception &) {
		/* The bus died, or a card that is refused recovers: the next look knows. */
	}
	if (!is_gone())
		return std::min(now_ns() + period, next_beat_ns_);
	end_of_card();
	return INT64_MAX;
}

void card::check_up(std::int64_t now)
{
	const trouble found = find_trouble(now);
	if (found.cause == OAC_CAUSE_NONE)
		take_events();
	else
		recover_from(found, OAC_RUNG_SOFT_RESET, false, INT64_MAX);
	if (has_orphans_)
		bury_orphans();
}

card::trouble card::find_trouble(std::int64_t now)
{
	trouble found;
	const std::uint32_t status = bus_->read32(OAC_REG_STATUS);
	if (status == OAC_REG_ALL_ONES)
		found.cause = OAC_CAUSE_GONE;
	else if (is_running_)
		found.cause = look_at_registers(status);
	if (!is_running_ || found.cause != OAC_CAUSE_NONE)
		return found;
	if (is_silent(now))
		found.cause = OAC_CAUSE_KEEP_ALIVE;
	else if (must_restart_)
		found.cause = OAC_CAUSE_HANG;
	else
		look_at_queues(now, found);
	return found;
}

std::uint32_t card::look_at_registers(std::uint32_t status)
{
	if (bus_->read32(OAC_REG_RESET_COUNT) != resets_expected_)
		return OAC_CAUSE_SELF_RESET;
	switch (status & OAC_STATUS_STATE_MASK) {
	case OAC_STATE_RUNNING:
		break;
	case OAC_STATE_CRASHED:
		return OAC_CAUSE_CRASHED;
	default:
		return OAC_CAUSE_IMPLAUSIBLE;
	}
	if (status & OAC_STATUS_ADMIN_ERROR_MASK)
		return OAC_CAUSE_ADMIN;
	return admin_cause_.load();
}

bool card::is_silent(std::int64_t now)
{
	if (now < next_beat_ns_)
		return false;
	next_beat_ns_ = now + std::min(hang_ns_ / BEATS_PER_HANG, BEAT_MAX_NS);
	const std::uint32_t beat = bus_->read32(OAC_REG_HEARTBEAT);
	missed_beats_ = beat == heartbeat_ ? missed_beats_ + 1 : 0;
	heartbeat_ = beat;
	return missed_beats_ >= MISSES;
}

void card::look_at_queues(std::int64_t now, trouble &found)
{
	const bool may_hang = health_.read().reason !=
			      OAC_REASON_TOO_HOT; /* engines stand still by intent */
	for (const auto &[queue, record] : queues()) {
		if (record->lost != OAC_LOST_NO)
			continue;
		if (!has_moved(queue, *record, now))
			heal_queue(queue, *record);
		const oac_progress *line = line_of(queue);
		const queue_progress at = read_progress(queue);
		if (at.completed != 0)
			has_worked_ = true;
		const bool is_busy = at.taken != at.completed && at.state == OAC_QUEUE_RUNNING;
		const bool is_waiting = std::atomic_ref(const_cast<__le32 &>(line->waiting))
						.load(std::memory_order_relaxed) != 0;
		/* Whose owner is gone has no time left. */
		const std::int64_t patience = record->is_orphan ? 0 : hang_ns_;
		if (!may_hang || !is_busy || is_waiting || now - record->moved_ns < patience)
			continue;
		found.cause = OAC_CAUSE_HANG;
		found.queues.push_back(queue);
		found.guilty.insert(record->context);
	}
}

/* Since the last look. */
bool card::has_moved(std::uint32_t queue, queue_record &record, std::int64_t now) noexcept
{
	const auto *line = reinterpret_cast<const std::byte *>(line_of(queue));
	std::array<std::uint64_t, 7> words;
	static_assert(sizeof(words) == offsetof(oac_progress, rsvd));
	for (std::size_t i = 0; i < words.size(); i++)
		words[i] = load_word(line + i * sizeof(std::uint64_t));
	if (record.moved_ns != 0 && words == record.words)
		return false;
	record.words = words;
	record.moved_ns = now;
	record.arm_due = 0;
	return true;
}

/*
 * A queue that did not move between two looks: is an interrupt due that did not come? It is made up;
 * nobody minds one too many. A doorbell that got lost is for who waits to ring again: only he can
 * without undoing a newer one.
 */
void card::heal_queue(std::uint32_t queue, queue_record &record) noexcept
{
	const queue_progress at = read_progress(queue);
	const std::uint64_t arm = load_word(record.doorbell + OAC_DB_ARM);
	const bool is_due = arm != 0 && arm != record.arm_healed &&
			    (arm & OAC_DB_ARM_SEEN_MASK) != at.completed;
	if (is_due && record.arm_due == arm) {
		record.arm_healed = arm;
		eventfd_write(record.line.event_fd, 1);
	}
	record.arm_due = is_due ? arm : 0;
}

/* The card's log since the last look, into ours. */
void card::take_events()
{
	if (!is_running_ || !has_event_register_)
		return;
	const std::uint32_t last = bus_->read32(OAC_REG_EVENT_SEQ);
	if (last + 1 == static_cast<std::uint32_t>(next_event_))
		return;
	std::array<oac_event, 64> found;
	std::uint64_t count = found.size();
	/* A card that always has more may not keep us either: the next look goes on. */
	for (std::size_t rounds = event_log::KEPT / found.size();
	     rounds > 0 && count == found.size(); rounds--) {
		count = std::min<std::uint64_t>(read_log(OAC_LOG_EVENTS, next_event_,
							 std::as_writable_bytes(std::span(found)),
							 hang_ns_),
						found.size());
		for (std::uint64_t i = 0; i < count; i++) {
			/* A card that counts backwards would keep us here for ever. */
			if (found[i].seq < next_event_)
				throw failure(EPROTO,
					      "card " + name_ + ": its events are out of order");
			take_event(found[i]);
			next_event_ = found[i].seq + 1;
		}
	}
}

void card::take_event(const oac_event &event)
{
	event_reading reading = event_of(event);
	reading.generation = health_.generation();
	if (event.code < OAC_EVENT_DRIVER)
		log_->add(reading);
	switch (event.code) {
	case OAC_EVENT_BOOTED:
		for (const std::uint32_t reason :
		     { OAC_REASON_SENSOR_DEAD, OAC_REASON_HOT, OAC_REASON_POWER_BRAKE,
		       OAC_REASON_ECC_LOST, OAC_REASON_TOO_HOT })
			health_.clear(reason);
		break;
	case OAC_EVENT_THERMAL_WARNING:
		health_.set(OAC_REASON_HOT, event.arg);
		break;
	case OAC_EVENT_THERMAL_TRIP:
		health_.set(OAC_REASON_TOO_HOT, event.arg);
		break;
	case OAC_EVENT_THERMAL_CLEARED:
		/* Engines that stood still start with the firmware only. */
		must_restart_ = health_.read().reason == OAC_REASON_TOO_HOT;
		health_.clear(OAC_REASON_HOT);
		break;
	case OAC_EVENT_POWER_BRAKE:
		health_.set(OAC_REASON_POWER_BRAKE, event.arg);
		break;
	case OAC_EVENT_POWER_CLEARED:
		health_.clear(OAC_REASON_POWER_BRAKE);
		break;
	case OAC_EVENT_SENSOR_DEAD:
		health_.set(OAC_REASON_SENSOR_DEAD, event.arg);
		break;
	case OAC_EVENT_ECC_LOST:
		health_.set(OAC_REASON_ECC_LOST, event.arg);
		break;
	default:	/* SELF_TEST_FAILED: who asked for the test has the answer */
		break;
	}
}

/* It is gone for good, for this and all handles. */
void card::end_of_card() noexcept
{
	if (is_over_)
		return;
	is_over_ = true;
	bus_->die();
	admin_.disable();
	epoch_.store(backend::EPOCH_LOST, std::memory_order_release);
	tell_change();
	for (const auto &[queue, record] : queues())
		eventfd_write(record->line.event_fd, 1);
	try {
		log_->add(OAC_EVENT_GONE, 0, health_.generation());
		health_.set(OAC_REASON_GONE);
	} catch (const std::bad_alloc &) {
		/* The end is told all the same. */
	}
	log_->close();
}

} // namespace accel::direct
