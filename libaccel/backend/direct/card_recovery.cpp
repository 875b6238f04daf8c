// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Bringing a card back, rung by rung: abort the command, take the queue, take the context; then reset
// the firmware, the function, and at last start over with the default image. All under work_mutex_,
// on the watch thread, or on that of who asks for a reset.
//
// The order of a reset: nobody gets anything to the card any more; the card is in its ROM and writes
// nothing; what was in it is marked lost, with the last progress of each queue; then the epoch moves
// and all who wait are woken; then it boots.
#include <algorithm>
#include <cerrno>
#include <ctime>

#include <sys/eventfd.h>

#include <hw/oac_regs.h>

#include "card_queue.hpp"
#include "clock.hpp"
#include "codes.hpp"
#include "error.hpp"

namespace accel::direct
{

namespace
{

/* Of an admin command that is to help; a card that works answers in microseconds. */
constexpr std::int64_t EASE_TIMEOUT_NS = 500 * NS_PER_MS;
constexpr std::int64_t ABORT_TIMEOUT_NS = 10 * NS_PER_MS;
constexpr std::int64_t RESET_TIMEOUT_NS = 100 * NS_PER_MS;
constexpr std::int64_t LOOK_TIMEOUT_NS = 100 * NS_PER_MS;
constexpr std::int64_t BOOT_TIMEOUT_NS = 10 * NS_PER_S;

std::int64_t sooner(std::int64_t deadline, std::int64_t timeout_ns)
{
	return std::min(deadline, now_ns() + timeout_ns);
}

} // namespace

card::work_lock card::lock_work(std::int64_t deadline, const char *what)
{
	if (!work_mutex_.lock_until(deadline))
		throw failure(ETIMEDOUT, "card " + name_ + ": " + what +
						 ": its recovery takes longer; wait for it with "
						 "accel_device_recover()");
	return { work_mutex_, std::adopt_lock };
}

/* Runs a rung, counts it and tells. Whatever it throws means that it did not help. */
bool card::try_rung(std::uint32_t rung, std::uint32_t cause, const std::function<bool()> &body)
{
	const std::int64_t start = now_ns();
	bool has_helped = false;
	try {
		has_helped = body();
	} catch (const std::exception &) {
	}
	health_.count_rung(rung, cause, has_helped, static_cast<std::uint64_t>(now_ns() - start));
	if (!has_helped)
		log_->add(OAC_EVENT_RUNG, rung, health_.generation());
	return has_helped;
}

/* first: of the rungs that reset the card. true: it works. */
bool card::recover_from(const trouble &what, std::uint32_t first, bool is_only,
			std::int64_t deadline)
{
	const std::uint32_t context = what.guilty.empty() ? 0 : *what.guilty.begin();
	const auto queue = static_cast<std::uint16_t>(what.queues.empty() ? 0 : what.queues[0]);
	log_->add(OAC_EVENT_RECOVERY, what.cause, health_.generation(), context, queue);
	std::uint32_t helped = OAC_RUNG_WEDGED;
	for (const std::uint32_t hung : what.queues) {
		const std::uint32_t rung = ease(hung, what.cause);
		helped = rung;
		if (rung == OAC_RUNG_WEDGED)
			break;
	}
	/* Hung again before it has done anything for anybody: what seemed to help did not. */
	if (what.cause == OAC_CAUSE_HANG && last_rung_ >= OAC_RUNG_SOFT_RESET && !has_worked_)
		first = std::clamp<std::uint32_t>(last_rung_ + 1, first, OAC_RUNG_FIRMWARE);
	if (helped == OAC_RUNG_WEDGED) {
		health_.set(OAC_REASON_STARTING, what.cause);
		for (const std::uint32_t rung :
		     { OAC_RUNG_SOFT_RESET, OAC_RUNG_FLR, OAC_RUNG_FIRMWARE }) {
			if (rung < first || (is_only && rung != first) || bus_->is_dead() ||
			    now_ns() >= deadline)
				continue;
			if (try_rung(rung, what.cause,
				     [&] { return restart_by(rung, what, deadline); })) {
				helped = last_rung_ = rung;
				has_worked_ = false;
				break;
			}
		}
		if (helped == OAC_RUNG_WEDGED && now_ns() >= deadline)
			leave_to_watch(what.cause);
		health_.clear(OAC_REASON_STARTING);
	}
	if (helped != OAC_RUNG_WEDGED) {
		log_->add(OAC_EVENT_RECOVERED, helped, health_.generation());
		return true;
	}
	give_up(what);
	return false;
}

/* A caller's time is over, not the card's: it is in the midst of a reset, and stays "starting". */
void card::leave_to_watch(std::uint32_t cause)
{
	must_restart_ = cause;
	watch_->wake();
	throw failure(ETIMEDOUT,
		      "card " + name_ +
			      ": its reset is not done in time and goes on; wait for it with "
			      "accel_device_recover()");
}

/* No rung helped. What was in the card is lost with it; a card that is off the bus is gone. */
void card::give_up(const trouble &what)
{
	must_restart_ = OAC_CAUSE_NONE;
	lose_all(what.guilty);
	health_.count_rung(OAC_RUNG_WEDGED, what.cause, false, 0);
	if (what.cause == OAC_CAUSE_GONE || bus_->is_dead()) {
		bus_->die();
		return;
	}
	if (health_.read().reason != OAC_REASON_BOOT_FAILED)
		health_.set(OAC_REASON_WEDGED, what.cause);
	log_->add(OAC_EVENT_WEDGED, what.cause, health_.generation());
}

/* Whether an abort did what it promises: the queue fails, or had nothing to do. */
bool card::has_let_go(std::uint32_t queue) const
{
	const std::int64_t end = now_ns() + ABORT_TIMEOUT_NS;
	for (;;) {
		const queue_progress at = read_progress(queue);
		if (at.state == OAC_QUEUE_ERROR || at.completed == at.taken)
			return true;
		if (now_ns() >= end)
			return false;
		const timespec pause{ 0, 50 * NS_PER_US };
		nanosleep(&pause, nullptr);
	}
}

/* A queue that hangs, without harm to others: the rung that helped; WEDGED: none of these. */
std::uint32_t card::ease(std::uint32_t queue, std::uint32_t cause)
{
	const auto record = find(queue);
	if (!record || record->lost != OAC_LOST_NO)
		return OAC_RUNG_QUEUE;	/* its owner was faster, or its context went */
	oac_admin_cmd cmd{};
	const auto run = [&](const char *name, std::uint8_t opcode) {
		cmd.opcode = opcode;
		admin_.run(name, cmd, {}, {}, { 0, EASE_TIMEOUT_NS });
	};
	cmd.arg.queue_abort.queue_id = static_cast<std::uint16_t>(queue);
	if (try_rung(OAC_RUNG_ABORT, cause, [&] {
		    run("abort a queue", OAC_ADMIN_QUEUE_ABORT);
		    eventfd_write(record->line.event_fd, 1);
		    return has_let_go(queue);
	    }))
		return OAC_RUNG_ABORT;
	static_assert(sizeof(cmd.arg.queue_abort) == sizeof(cmd.arg.queue_destroy));
	/* From here on its owner may not come in between and destroy what we take. */
	const std::lock_guard lock(life_mutex_);
	if (record->lost != OAC_LOST_NO)
		return OAC_RUNG_QUEUE;
	if (try_rung(OAC_RUNG_QUEUE, cause, [&] {
		    run("take a queue", OAC_ADMIN_QUEUE_DESTROY);
		    lose_queues([&](const queue_record &one) {
			    return &one == record.get() ? OAC_LOST_GUILTY : OAC_LOST_NO;
		    });
		    return true;
	    }))
		return OAC_RUNG_QUEUE;
	if (try_rung(OAC_RUNG_CONTEXT, cause, [&] {
		    const context_record in = live(record->context);
		    cmd = {};
		    cmd.context = in.id;
		    run("take a context", OAC_ADMIN_CONTEXT_DESTROY);
		    lose_context(record->context, OAC_LOST_GUILTY);
		    give_context(in.id);
		    return true;
	    }))
		return OAC_RUNG_CONTEXT;
	return OAC_RUNG_WEDGED;
}

/* What the card has let go of by now, and nobody owns any more. */
void card::bury_orphans() noexcept
{
	bool is_left = false;
	std::vector<std::uint32_t> contexts;
	for (const auto &[queue, record] : queues()) {
		if (record->is_orphan)
			bury_queue(queue);
	}
	{
		const std::lock_guard lock(table_mutex_);
		for (const auto &[context, record] : context_table_) {
			if (record.is_orphan)
				contexts.push_back(context);
		}
	}
	for (const std::uint32_t context : contexts)
		bury_context(context);
	const std::lock_guard lock(table_mutex_);
	for (const auto &[queue, record] : table_)
		is_left = is_left || record->is_orphan;
	for (const auto &[context, record] : context_table_)
		is_left = is_left || record.is_orphan;
	has_orphans_ = is_left;
}

void card::bury_queue(std::uint32_t queue) noexcept
{
	const std::lock_guard lock(life_mutex_);
	const auto record = find(queue);
	try {
		if (record->lost == OAC_LOST_NO) {
			oac_admin_cmd cmd{};
			cmd.opcode = OAC_ADMIN_QUEUE_DESTROY;
			cmd.arg.queue_destroy.queue_id = static_cast<std::uint16_t>(queue);
			admin_.run("take a queue", cmd, {}, {}, { 0, EASE_TIMEOUT_NS });
		}
	} catch (const std::exception &) {
		return;	/* not yet */
	}
	add_ended(queue);
	give_queue(queue);
	const std::lock_guard table_lock(table_mutex_);
	table_.erase(queue);
}

void card::bury_context(std::uint32_t context) noexcept
{
	const std::lock_guard lock(life_mutex_);
	context_record record;
	{
		const std::lock_guard table_lock(table_mutex_);
		record = context_table_[context];
	}
	try {
		if (record.lost == OAC_LOST_NO) {
			oac_admin_cmd cmd{};
			cmd.opcode = OAC_ADMIN_CONTEXT_DESTROY;
			cmd.context = record.id;
			admin_.run("take a context", cmd, {}, {},
				   { record.session, EASE_TIMEOUT_NS });
			give_context(record.id);
		}
	} catch (const std::exception &) {
		return;	/* not yet */
	}
	const std::lock_guard table_lock(table_mutex_);
	context_table_.erase(context);
}

/* true: another firmware runs, or the same one anew. */
bool card::restart_by(std::uint32_t rung, const trouble &what, std::int64_t deadline)
{
	stop_firmware("the card is being recovered");
	bring_to_rom(*bus_, name_,
		     rung == OAC_RUNG_FLR ? reset_way::of_function : reset_way::by_register,
		     sooner(deadline, RESET_TIMEOUT_NS));
	health_.count_reset();
	lose_all(what.guilty);
	boot_image other;
	if (rung == OAC_RUNG_FIRMWARE)
		other = choose_image();
	const image_bytes &image = rung == OAC_RUNG_FIRMWARE ? other.bytes : image_;
	const std::uint32_t reason = boot(image, sooner(deadline, BOOT_TIMEOUT_NS));
	if (reason == OAC_FAIL_NONE)
		return true;
	health_.set(OAC_REASON_BOOT_FAILED, reason);
	const std::lock_guard lock(life_mutex_);
	set_down(boot_fail_text(reason));
	return false;
}

/* Who waits for an answer gets none any more, and lets go of life_mutex_. */
void card::stop_firmware(const char *why)
{
	admin_.disable();
	const std::lock_guard lock(life_mutex_);
	set_down(why);
}

/* lost: how a queue is lost, or OAC_LOST_NO. The card has let go of those that are. */
void card::lose_queues(const std::function<std::uint32_t(const queue_record &)> &lost) noexcept
{
	std::vector<int> sleepers;
	for (const auto &[queue, record] : queues()) {
		const std::uint32_t how = record->lost == OAC_LOST_NO ? lost(*record) : OAC_LOST_NO;
		if (how == OAC_LOST_NO)
			continue;
		record->last = read_progress(queue);
		record->lost.store(how);
		sleepers.push_back(record->line.event_fd);
	}
	tell_change();
	/* After the epoch: who wakes finds it moved. */
	for (const int event_fd : sleepers)
		eventfd_write(event_fd, 1);
}

void card::lose_context(std::uint32_t context, std::uint32_t how) noexcept
{
	std::uint32_t id = 0;
	{
		const std::lock_guard lock(table_mutex_);
		const auto found = context_table_.find(context);
		if (found == context_table_.end() || found->second.lost != OAC_LOST_NO)
			return;
		found->second.lost = how;
		id = found->second.id;
	}
	log_->add(OAC_EVENT_CONTEXT_LOST, how, health_.generation(), id);
	lose_queues([&](const queue_record &one) {
		return one.context == context ? how : OAC_LOST_NO;
	});
}

/* All contexts, of which these were the cause. */
void card::lose_all(const std::set<std::uint32_t> &guilty) noexcept
{
	const auto how = [&](std::uint32_t context) {
		return guilty.count(context) > 0 ? OAC_LOST_GUILTY : OAC_LOST_INNOCENT;
	};
	{
		const std::lock_guard life(life_mutex_);
		const std::lock_guard facts(facts_mutex_);
		contexts_ = id_pool();
		const std::lock_guard lock(table_mutex_);
		for (auto &[context, record] : context_table_) {
			if (record.lost != OAC_LOST_NO)
				continue;
			record.lost = how(context);
			log_->add(OAC_EVENT_CONTEXT_LOST, record.lost, health_.generation(),
				  record.id);
		}
	}
	lose_queues([&](const queue_record &one) { return how(one.context); });
}

void card::tell_change() noexcept
{
	backend::move(epoch_);
	eventfd_write(change_event_.get(), 1);
}

void card::recover(std::int64_t deadline)
{
	/* A look is due to every caller, however little time it has; others may be at one, too. */
	const std::int64_t look_end = std::max(deadline, now_ns() + LOOK_TIMEOUT_NS);
	const work_lock work = lock_work(look_end, "recover");
	if (is_gone())
		throw failure(ENODEV, "card " + name_ + ": it is gone; close and open it again");
	trouble found;
	{
		const patience limit(look_end);
		found = find_trouble(now_ns());
	}
	const patience limit(deadline);
	if (found.cause == OAC_CAUSE_NONE && is_running_)
		return;
	if (found.cause == OAC_CAUSE_NONE)
		found.cause = OAC_CAUSE_OPERATOR;
	const bool works = recover_from(found, OAC_RUNG_SOFT_RESET, false, deadline);
	watch_->wake();
	if (!works)
		not_recovered();
}

void card::reset(std::uint32_t rung, std::int64_t deadline)
{
	if (rung == OAC_RUNG_BUS_RESET)
		throw failure(EOPNOTSUPP, "card " + name_ +
						  ": without the kernel driver there is no bus "
						  "reset; reset the function (flr)");
	const patience limit(deadline);
	const work_lock work = lock_work(deadline, "reset");
	if (is_gone())
		throw failure(ENODEV, "card " + name_ + ": it is gone; close and open it again");
	trouble asked;
	asked.cause = OAC_CAUSE_OPERATOR;
	const bool works = recover_from(asked, rung, true, deadline);
	watch_->wake();
	if (!works)
		not_recovered();
}

void card::not_recovered()
{
	if (bus_->is_dead())
		throw failure(ENODEV, "card " + name_ + ": it is gone; close and open it again");
	const std::uint32_t reason = health_.read().reason;
	std::string text = "card " + name_ + ": the reset did not help: ";
	const std::lock_guard lock(life_mutex_);
	if (reason == OAC_REASON_BOOT_FAILED)
		throw failure(EIO,
			      text + boot_text_ + "; load another image with 'accelctl fw load'");
	throw failure(EIO, text + accel_health_reason_text(reason) +
				   "; try another rung, or power-cycle the host");
}

std::uint64_t card::self_test(std::int64_t deadline)
{
	look_for_firmware();
	oac_admin_cmd cmd{};
	cmd.opcode = OAC_ADMIN_SELF_TEST;
	/* Who has less time than the card needs leaves it at its work, and harms nobody. */
	const patience limit(deadline);
	const std::uint64_t failed =
		admin_.run("self-test", cmd, {}, {}, { 0, admin_queue::TIMEOUT_NS });
	if (failed)
		health_.set(OAC_REASON_SELF_TEST, failed);
	else
		health_.clear(OAC_REASON_SELF_TEST);
	return failed;
}

} // namespace accel::direct
