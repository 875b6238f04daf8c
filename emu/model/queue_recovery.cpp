// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The other half of a queue: what is done to it from beside, by ABORT and by faults. None of it is
// on the way of a command that nothing happens to.
#include <algorithm>
#include <atomic>

#include "queue.hpp"

namespace oac::emu
{

/* false: a fault has taken the command in hand. */
bool queue::is_let_through(const oac_cmd &cmd)
{
	outcome how;

	switch (board_.hooks->on_command(name(), cmd, how)) {
	case fault_hooks::fate::run:
		return true;
	case fault_hooks::fate::freeze:
		sq_head_++;
		command_.freeze(cmd);
		return false;
	case fault_hooks::fate::fail:
		sq_head_++;
		complete(cmd.tag, how);
		return false;
	}
	return true;
}

/* A store that is lost was never there: the word is again what it was, for the next one to differ. */
bool queue::is_doorbell_lost()
{
	std::uint32_t tail = doorbell<std::uint32_t>(OAC_DB_SQ_TAIL);

	if (tail == seen_tail_ || board_.hooks->on_doorbell(name())) {
		seen_tail_ = tail;
		return false;
	}
	std::atomic_ref(*reinterpret_cast<std::uint32_t *>(page_ + OAC_DB_SQ_TAIL))
		.compare_exchange_strong(tail, seen_tail_);
	return true;
}

void queue::reconsider()
{
	seen_tail_ = doorbell<std::uint32_t>(OAC_DB_SQ_TAIL);
	hand_.count = 0;
	set_shortcuts();
}

bool queue::abort()
{
	const std::uint32_t pending = doorbell<std::uint32_t>(OAC_DB_SQ_TAIL) - sq_head_;
	const std::uint32_t completed = completed_;

	if (dead_ || state_ == OAC_QUEUE_ERROR || (!command_.is_active() && pending == 0))
		return true;
	if (!is_released(rung::abort))
		return false;
	if (command_.is_active()) {
		command_.cancel(OAC_ST_ABORTED);
		set_blocked(false);
		complete(command_.tag(), command_.result());
	} else {
		/* what is rung for and not taken goes the way of all in a queue in error */
		board_.add_event(OAC_EVENT_QUEUE_ERROR, OAC_ST_ABORTED, { context_.id, id });
		fail({ OAC_ST_ABORTED, 0 });
	}
	publish(false, completed_ != completed);
	hand_.count = 0;
	set_shortcuts();
	return true;
}

void queue::thaw()
{
	const std::uint32_t completed = completed_;

	if (!command_.is_frozen())
		return;
	if (command_.thaw() == command::progress::done)
		complete(command_.tag(), command_.result());
	publish(false, completed_ != completed);
	set_shortcuts();
}

void queue::post_late(const oac_completion &entry)
{
	if (dead_)
		return;
	oac_completion late = entry;
	late.phase = phase_of(completed_);
	put(late);
	publish(false, true);
	set_shortcuts();
}

void queue::show_steps()
{
	if (!command_.is_active() || blocked_ || dead_ || command_.is_frozen())
		return;
	if (steps_ == shown_steps_) {
		steps_++;
		is_line_old_ = true;
		write_progress();
	}
	shown_steps_ = steps_;
}

void queue::post_as_told(const post_order &order)
{
	if (order.is_interrupt_early && (armed_ || has_new_arm())) {
		arm_word_ = doorbell<std::uint64_t>(OAC_DB_ARM);
		armed_ = false;
		board_.interrupt(vector_);
		board_.port.pause(order.pause_ns);
	}
	for (const posted_completion &each : order.entries) {
		oac_completion entry = each.entry;
		entry.phase = phase_of(completed_) ^ (each.has_wrong_phase ? OAC_PHASE_MASK : 0);
		put(entry);
	}
}

} // namespace oac::emu
