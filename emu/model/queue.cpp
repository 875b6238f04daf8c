// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See queue.hpp. The order of a batch: completions, published tail, progress line, interrupt.
#include "queue.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "queue_nops.hpp"

namespace oac::emu
{

namespace
{

constexpr std::uint32_t BATCH = 128; /* commands taken before the tail is published */
constexpr std::uint64_t POLL_FIRST_NS = 50000, POLL_LAST_NS = 1000000;

bool is_aligned(const std::byte *at, std::size_t to = sizeof(std::uint64_t))
{
	return reinterpret_cast<std::uintptr_t>(at) % to == 0;
}

/* Where an entry of that size may be read or written in place, or null. */
std::byte *usable(std::span<std::byte> direct, std::size_t size)
{
	return is_aligned(direct.data()) && direct.size() >= size ? direct.data() : nullptr;
}

} // namespace

void kept_window::keep(const board &on, std::uint32_t at, std::size_t entry_size,
		       std::span<std::byte> direct)
{
	first_ = at;
	/* where faults are watched for, nothing is kept: every access goes the long way */
	count_ = is_aligned(direct.data()) && !on.hooks ?
			 static_cast<std::uint32_t>(direct.size() / entry_size) :
			 0;
	base_ = direct.data();
	epoch_ = on.port.window_epoch;
}

template <typename Entry>
outcome ring_view<Entry>::look(std::uint32_t count, std::byte *&at)
{
	const std::uint32_t slot = count & mask_;
	const std::uint64_t rest = std::uint64_t{ mask_ - slot + 1 } * sizeof(Entry);
	std::span<std::byte> direct;
	const outcome result = context_.window(va_of(count), rest, kind_, direct);

	at = nullptr;
	if (!result.ok())
		return result;
	window_.keep(board_, slot, sizeof(Entry), direct);
	at = usable(direct, sizeof(Entry));
	return {};
}

queue::queue(board &on, context &in, const oac_admin_queue_create &how, std::uint32_t first)
	: id(how.queue_id), board_(on), epoch_(on.port.window_epoch), context_(in),
	  page_(on.doorbells.data() + how.queue_id * std::uint64_t{ OAC_DB_PAGE_SIZE }),
	  sq_head_(first), tail_va_(how.tail_va), progress_address_(how.progress_addr),
	  depth_(1u << how.depth_log2), depth_log2_(how.depth_log2), vector_(how.vector),
	  priority_(how.priority), weight_(how.weight ? how.weight : OAC_WEIGHT_NORMAL),
	  sq_(on, in, how.sq_va, depth_, access::read),
	  cq_(on, in, how.cq_va, depth_, access::write), command_(on, in), completed_(first)
{
	store(page_, OAC_DB_SQ_TAIL, first, std::memory_order_release);
	store(page_, OAC_DB_ARM, std::uint64_t{ 0 }, std::memory_order_release);
	store(page_, OAC_DB_ASLEEP, std::uint32_t{ 0 }, std::memory_order_release);
	set_shortcuts();
	context_.queue_count++;
}

queue::~queue()
{
	context_.queue_count--;
}

/* What poll() cannot tell from the doorbell alone. */
bool queue::has_rare_work(std::uint32_t pending) const
{
	if (dead_ || command_.is_frozen())
		return false;
	if (blocked_)
		return board_.time_ns >= next_poll_ns_ || seen_epoch_ != board_.signal_epoch;
	if (command_.is_active())
		return true;
	/* once in ERROR, a doorbell out of range has been told and changes nothing more */
	return pending > depth_ && state_ == OAC_QUEUE_RUNNING;
}

std::optional<std::uint64_t> queue::next_poll_ns() const
{
	return blocked_ ? std::optional(next_poll_ns_) : std::nullopt;
}

/* What is looked at first, from what makes it so. */
void queue::set_shortcuts()
{
	is_special_ = dead_ || blocked_ || command_.is_active();
	depth_limit_ = dead_ || blocked_ || command_.is_frozen() ? 0 : depth_;
	is_usual_ = state_ == OAC_QUEUE_RUNNING && !is_special_ && !armed_ && !is_line_old_ &&
		    sq_head_ == completed_ && board_.running->has_command(OAC_CMD_NOP);
	if (!is_usual_)
		hand_.count = 0;
}

/* Looks for what take_nops() needs to have at hand; how many it may take now. */
std::uint32_t queue::reach_nops()
{
	const std::uint32_t rung = pending();

	if (!is_usual_ || !board_.is_free || rung - 1 >= depth_)
		return 0;
	if (hand_.count != 0 && hand_.epoch == epoch_)
		return std::min(rung, hand_.count);
	hand_.from = sq_.entry(sq_head_);
	hand_.to = cq_.entry(completed_);
	hand_.tail = tail_.entry(board_, 0, sizeof(completed_));
	hand_.line = progress_.entry(board_, 0, sizeof(oac_progress));
	hand_.epoch = epoch_;
	hand_.count = 0;
	if (!hand_.from || !hand_.to || !hand_.tail || !hand_.line ||
	    !is_aligned(hand_.from, sizeof(oac_cmd)))
		return 0;
	hand_.count = std::min({ sq_.rest(sq_head_), cq_.rest(completed_), BATCH });
	hand_.ending = ending_of(OAC_ST_SUCCESS, phase_of(completed_));
	return std::min(rung, hand_.count);
}

std::int64_t queue::run()
{
	step_budget budget;

	if (const std::uint32_t count = reach_nops()) {
		if (const std::int64_t cost = take_nops(count))
			return cost;
	}
	if (board_.hooks && is_doorbell_lost()) [[unlikely]]
		return COMMAND_COST;
	const std::uint32_t head = sq_head_, completed = completed_;
	if (!dead_ && !command_.is_frozen())
		take_commands(budget);
	if (command_.is_active() && !blocked_ && !command_.is_frozen()) {
		steps_++;
		is_line_old_ = true;
	}
	account(budget);
	publish(sq_head_ != head, completed_ != completed);
	hand_.count = 0;
	set_shortcuts();
	/* a look at a WAIT is not for nothing */
	return std::max(budget.used(), COMMAND_COST);
}

/* The clock is read twice in a batch that copies, and not at all in one of small commands. */
void queue::account(const step_budget &budget)
{
	if (budget.compute_ns | copy_began_ns_)
		is_line_old_ = true;
	compute_ns_ += budget.compute_ns;
	if (copy_began_ns_ == 0)
		return;
	copy_ns_ +=
		board_.clock_ns() - copy_began_ns_ - (budget.compute_ns - copy_began_compute_ns_);
	copy_began_ns_ = 0;
}

void queue::take_commands(step_budget &budget)
{
	for (unsigned taken = 0; taken < BATCH && !dead_ && !budget.is_spent();) {
		if (!command_.is_active()) {
			if (!start_next(budget))
				return;
			taken++;
		} else if (!advance(budget)) {
			return;
		}
	}
}

/* false: nothing to take. */
bool queue::start_next(step_budget &budget)
{
	const std::uint32_t tail = doorbell<std::uint32_t>(OAC_DB_SQ_TAIL);
	const std::uint32_t pending = tail - sq_head_;
	oac_cmd cmd;

	if (pending > depth_) {
		refuse_doorbell(tail);
		return false;
	}
	if (pending == 0 || !budget.take(COMMAND_COST) || !fetch(cmd))
		return false;
	sq_head_++;
	if (state_ == OAC_QUEUE_ERROR)
		complete(cmd.tag, { OAC_ST_ABORTED, 0 });
	else if (command_.start(cmd) == command::progress::done)
		complete(cmd.tag, command_.result());
	return true;
}

void queue::refuse_doorbell(std::uint32_t tail)
{
	if (state_ != OAC_QUEUE_RUNNING)
		return;
	board_.add_event(OAC_EVENT_DOORBELL, tail, { context_.id, id });
	fail({ OAC_ST_DOORBELL, 0 });
	post(OAC_TAG_NONE, { OAC_ST_DOORBELL, 0 });
}

/* A slice of the command in flight. false: no more in this step. */
bool queue::advance(step_budget &budget)
{
	if (command_.is_move() && copy_began_ns_ == 0) {
		copy_began_ns_ = board_.clock_ns();
		copy_began_compute_ns_ = budget.compute_ns;
	}
	const command::progress progress = command_.advance(budget);

	if (progress == command::progress::blocked) {
		poll_period_ns_ = blocked_ ? std::min(poll_period_ns_ * 2, POLL_LAST_NS) :
					     POLL_FIRST_NS;
		set_blocked(true);
		next_poll_ns_ = board_.clock_ns() + poll_period_ns_;
		seen_epoch_ = board_.signal_epoch;
		return false;
	}
	if (progress == command::progress::done) {
		set_blocked(false);
		complete(command_.tag(), command_.result());
	}
	return true;
}

void queue::set_blocked(bool is_blocked)
{
	is_line_old_ |= blocked_ != is_blocked;
	blocked_ = is_blocked;
}

/* A private copy of the next command: the host may go on writing to the ring. */
bool queue::fetch(oac_cmd &cmd)
{
	const std::byte *at = sq_.entry(sq_head_);

	if (!at) [[unlikely]]
		return fetch_slowly(cmd);
	std::memcpy(&cmd, at, sizeof(cmd));
	return true;
}

bool queue::fetch_slowly(oac_cmd &cmd)
{
	std::byte *at;
	outcome result = sq_.look(sq_head_, at);

	if (at)
		std::memcpy(&cmd, at, sizeof(cmd));
	else if (result.ok())
		result = context_.read(sq_.va_of(sq_head_), bytes_of(cmd));
	if (result.ok())
		return !board_.hooks || state_ == OAC_QUEUE_ERROR || is_let_through(cmd);
	/* no tag is known any more: one completion for the queue itself */
	die(result);
	post(OAC_TAG_NONE, result);
	return false;
}

/* Counts and posts a finished command; the first failure stops the queue. */
void queue::complete(std::uint32_t tag, const outcome &result)
{
	board_.count.add(OAC_COUNTER_COMMANDS, 1);
	if (!result.ok()) [[unlikely]] {
		error_count_++;
		is_line_old_ = true;
		board_.count.add(OAC_COUNTER_COMMAND_ERRORS, 1);
		if (state_ == OAC_QUEUE_RUNNING) {
			board_.add_event(OAC_EVENT_QUEUE_ERROR, result.status, { context_.id, id });
			board_.lines.say(board_.clock_ns(), "queue %u: command failed: status %#x",
					 id, result.status);
		}
		fail(result);
	}
	post(tag, result);
}

void queue::fail(const outcome &result)
{
	if (state_ == OAC_QUEUE_ERROR)
		return;
	state_ = OAC_QUEUE_ERROR;
	is_line_old_ = true;
	failure_ = result;
	if (result.is_access_fault()) {
		board_.count.add(OAC_COUNTER_ACCESS_FAULTS, 1);
		board_.add_event(OAC_EVENT_ACCESS_FAULT, result.info, { context_.id, id });
	}
}

void queue::die(const outcome &result)
{
	fail(result);
	is_death_untold_ |= !dead_; /* it may die in more than one place of a step */
	dead_ = true;
	set_shortcuts();
}

void queue::post(std::uint32_t tag, const outcome &result)
{
	std::byte *at = cq_.entry(completed_);

	if (!at) [[unlikely]] {
		post_slowly(tag, result);
		return;
	}
	post_at(at, result.info, ending_of(result.status, phase_of(completed_)) | tag);
	completed_++;
}

void queue::post_slowly(std::uint32_t tag, const outcome &result)
{
	const oac_completion entry = { result.info, tag, result.status, phase_of(completed_) };

	if (board_.hooks) [[unlikely]]
		post_as_told(board_.hooks->on_completion(name(), entry));
	else
		put(entry);
}

void queue::put(const oac_completion &entry)
{
	std::byte *at;
	outcome posted = cq_.look(completed_, at);

	if (at)
		post_at(at, entry.info, ending_of(entry.status, entry.phase) | entry.tag);
	else if (posted.ok())
		posted = context_.write(cq_.va_of(completed_), std::as_bytes(std::span(&entry, 1)));
	if (posted.ok())
		completed_++;
	else
		die(posted);
}

void queue::publish(bool has_progress, bool has_completions)
{
	if (has_completions)
		publish_tail();
	if (is_line_old_ || has_completions || has_progress)
		write_progress();
	/* tail before ARM here, ARM before tail on the host: one of the two sees the other */
	std::atomic_thread_fence(std::memory_order_seq_cst);
	if (has_new_arm())
		arm();
	else if (armed_)
		raise_if_armed();
}

void queue::publish_tail()
{
	std::byte *at = tail_.entry(board_, 0, sizeof(completed_));

	if (!at) [[unlikely]]
		return publish_tail_slowly();
	store(at, 0, completed_, std::memory_order_release);
}

void queue::publish_tail_slowly()
{
	std::uint32_t tail = completed_;
	std::span<std::byte> direct;

	if (board_.hooks)
		board_.hooks->on_tail(name(), tail);
	outcome result = context_.window(tail_va_, sizeof(tail), access::write, direct);
	if (result.ok())
		tail_.keep(board_, 0, sizeof(tail), direct);
	std::byte *const at = usable(direct, sizeof(tail));
	if (at)
		store(at, 0, tail, std::memory_order_release);
	else if (result.ok())
		result = context_.write(tail_va_, bytes_of(tail));
	if (!result.ok())
		die(result);
}

/* Head and completions last: who sees them sees the rest of the line. */
void queue::write_progress()
{
	std::byte *at = progress_.entry(board_, 0, sizeof(oac_progress));

	if (!at && progress_address_) [[unlikely]] {
		const std::span<std::byte> direct =
			board_.window(progress_address_, sizeof(oac_progress), access::write);
		progress_.keep(board_, 0, sizeof(oac_progress), direct);
		at = usable(direct, sizeof(oac_progress));
		is_line_old_ = true;
	}
	std::uint64_t counts = progress_counts(sq_head_, completed_);
	if (is_line_old_)
		counts = write_whole_progress(at);
	if (at)
		store(at, 0, counts, std::memory_order_release);
}

/* at: where it goes, but for the two counts returned; null: by message, all of it, or nowhere. */
std::uint64_t queue::write_whole_progress(std::byte *at)
{
	oac_progress line{};

	is_line_old_ = false;
	line.sq_head = sq_head_;
	line.completed = completed_;
	line.state = state_;
	line.status = failure_.status;
	line.fault_addr = failure_.is_access_fault() ? failure_.info : 0;
	line.error_count = error_count_;
	line.compute_ns = compute_ns_;
	line.copy_ns = copy_ns_;
	line.waiting = blocked_;
	line.steps = steps_;
	if (board_.hooks) [[unlikely]]
		board_.hooks->on_progress(name(), line);
	constexpr std::size_t skip = offsetof(oac_progress, state);
	if (at)
		std::memcpy(at + skip, reinterpret_cast<std::byte *>(&line) + skip,
			    sizeof(line) - skip);
	else if (progress_address_ && !board_.host_write(progress_address_, bytes_of(line)))
		die({ OAC_ST_DMA_ERROR, 0 });
	return progress_counts(line.sq_head, line.completed);
}

void queue::arm()
{
	arm_word_ = doorbell<std::uint64_t>(OAC_DB_ARM);
	armed_ = true;
	raise_if_armed();
	set_shortcuts();
}

/* The end of take_nops() if the ARM word is not what it was. */
std::int64_t queue::arm_after(std::int64_t cost)
{
	if (has_new_arm())
		arm();
	return cost;
}

void queue::raise_if_armed()
{
	if (!armed_ || (completed_ == (arm_word_ & OAC_DB_ARM_SEEN_MASK) && !is_death_untold_))
		return;
	armed_ = false;
	is_death_untold_ = false;
	board_.interrupt(vector_);
}

} // namespace oac::emu
