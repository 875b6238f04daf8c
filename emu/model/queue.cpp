// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See queue.hpp. The order of a batch: completions, published tail, progress line, interrupt.
#include "queue.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace oac::emu
{

namespace
{

constexpr unsigned BATCH = 128; /* commands taken before the tail is published */
constexpr std::int64_t COMMAND_COST = 256;
constexpr std::uint64_t WINDOW_BYTES = std::uint64_t{ BATCH } * sizeof(oac_cmd);
constexpr std::uint64_t POLL_FIRST_NS = 50000, POLL_LAST_NS = 1000000;

template <typename Word>
void store(std::byte *at, std::size_t offset, Word value, std::memory_order order)
{
	std::atomic_ref(*reinterpret_cast<Word *>(at + offset)).store(value, order);
}

bool is_aligned(const std::byte *at)
{
	return reinterpret_cast<std::uintptr_t>(at) % sizeof(std::uint64_t) == 0;
}

} // namespace

outcome ring_view::entry(std::uint32_t count, std::byte *&at)
{
	const std::uint32_t slot = count & mask_;
	std::uint64_t skip = std::uint64_t{ slot - first_ } * entry_size_;

	if (slot < first_ || skip >= window_.size()) {
		const std::uint64_t rest = std::uint64_t{ mask_ - slot + 1 } * entry_size_;
		const outcome result =
			context_.window(va_of(count), std::min(rest, WINDOW_BYTES), kind_, window_);
		if (!result.ok())
			return result;
		first_ = slot;
		skip = 0;
	}
	at = window_.size() - skip >= entry_size_ ? window_.data() + skip : nullptr;
	if (at && !is_aligned(at))
		at = nullptr;
	return {};
}

queue::queue(board &on, context &in, const oac_admin_queue_create &how, std::uint32_t first)
	: id(how.queue_id), board_(on), context_(in), tail_va_(how.tail_va),
	  progress_address_(how.progress_addr), depth_(1u << how.depth_log2),
	  depth_log2_(how.depth_log2), vector_(how.vector), priority_(how.priority),
	  sq_(in, how.sq_va, depth_, sizeof(oac_cmd), access::read),
	  cq_(in, how.cq_va, depth_, sizeof(oac_completion), access::write), command_(on, in),
	  sq_head_(first), completed_(first), published_head_(first), published_completed_(first)
{
	const std::uint64_t page = id * std::uint64_t{ OAC_DB_PAGE_SIZE };

	board_.doorbells.store<std::uint32_t>(page + OAC_DB_SQ_TAIL, first);
	board_.doorbells.store<std::uint64_t>(page + OAC_DB_ARM, 0);
	board_.doorbells.store<std::uint32_t>(page + OAC_DB_ASLEEP, 0);
	context_.queue_count++;
}

queue::~queue()
{
	context_.queue_count--;
}

bool queue::has_new_arm() const
{
	return doorbell<std::uint64_t>(OAC_DB_ARM) >> OAC_DB_ARM_SEQ_SHIFT !=
	       arm_word_ >> OAC_DB_ARM_SEQ_SHIFT;
}

bool queue::poll(std::uint64_t now_ns)
{
	if (has_new_arm())
		return true;
	if (dead_)
		return false;
	if (blocked_)
		return now_ns >= next_poll_ns_ || seen_epoch_ != board_.signal_epoch;
	if (command_.is_active())
		return true;
	const std::uint32_t pending = doorbell<std::uint32_t>(OAC_DB_SQ_TAIL) - sq_head_;
	/* once in ERROR, a doorbell out of range has been told and changes nothing more */
	return pending != 0 && (pending <= depth_ || state_ == OAC_QUEUE_RUNNING);
}

std::optional<std::uint64_t> queue::next_poll_ns() const
{
	return blocked_ ? std::optional(next_poll_ns_) : std::nullopt;
}

void queue::run(std::uint64_t now_ns)
{
	step_budget budget;

	sq_.forget();
	cq_.forget();
	if (!dead_)
		take_commands(budget, now_ns);
	account(budget);
	publish();
}

/* The clock is read twice in a batch that copies, and not at all in one of small commands. */
void queue::account(const step_budget &budget)
{
	compute_ns_ += budget.compute_ns;
	if (copy_began_ns_ == 0)
		return;
	copy_ns_ +=
		board_.clock_ns() - copy_began_ns_ - (budget.compute_ns - copy_began_compute_ns_);
	copy_began_ns_ = 0;
}

void queue::take_commands(step_budget &budget, std::uint64_t now_ns)
{
	for (unsigned taken = 0; taken < BATCH && !dead_ && !budget.is_spent();) {
		if (!command_.is_active()) {
			if (!start_next(budget))
				return;
			taken++;
		} else if (!advance(budget, now_ns)) {
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
		if (state_ == OAC_QUEUE_RUNNING) {
			board_.add_event(OAC_EVENT_DOORBELL, tail, { context_.id, id });
			fail({ OAC_ST_DOORBELL, 0 });
			post(OAC_TAG_NONE, { OAC_ST_DOORBELL, 0 });
		}
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

/* A slice of the command in flight. false: no more in this step. */
bool queue::advance(step_budget &budget, std::uint64_t now_ns)
{
	if (command_.is_move() && copy_began_ns_ == 0) {
		copy_began_ns_ = board_.clock_ns();
		copy_began_compute_ns_ = budget.compute_ns;
	}
	const command::progress progress = command_.advance(budget);

	if (progress == command::progress::blocked) {
		poll_period_ns_ = blocked_ ? std::min(poll_period_ns_ * 2, POLL_LAST_NS) :
					     POLL_FIRST_NS;
		blocked_ = true;
		next_poll_ns_ = now_ns + poll_period_ns_;
		seen_epoch_ = board_.signal_epoch;
		return false;
	}
	if (progress == command::progress::done) {
		blocked_ = false;
		complete(command_.tag(), command_.result());
	}
	return true;
}

/* A private copy of the next command: the host may go on writing to the ring. */
bool queue::fetch(oac_cmd &cmd)
{
	std::byte *at = nullptr;
	outcome result = sq_.entry(sq_head_, at);

	if (result.ok() && at)
		std::memcpy(&cmd, at, sizeof(cmd));
	else if (result.ok())
		result = context_.read(sq_.va_of(sq_head_), bytes_of(cmd));
	if (result.ok())
		return true;
	/* no tag is known any more: one completion for the queue itself */
	die(result);
	post(OAC_TAG_NONE, result);
	return false;
}

/* Counts and posts a finished command; the first failure stops the queue. */
void queue::complete(std::uint32_t tag, const outcome &result)
{
	board_.count.add(OAC_COUNTER_COMMANDS, 1);
	if (!result.ok()) {
		error_count_++;
		board_.count.add(OAC_COUNTER_COMMAND_ERRORS, 1);
		if (state_ == OAC_QUEUE_RUNNING)
			board_.add_event(OAC_EVENT_QUEUE_ERROR, result.status, { context_.id, id });
		fail(result);
	}
	post(tag, result);
}

void queue::fail(const outcome &result)
{
	if (state_ == OAC_QUEUE_ERROR)
		return;
	state_ = OAC_QUEUE_ERROR;
	failure_ = result;
	if (result.is_access_fault()) {
		board_.count.add(OAC_COUNTER_ACCESS_FAULTS, 1);
		board_.add_event(OAC_EVENT_ACCESS_FAULT, result.info, { context_.id, id });
	}
}

void queue::die(const outcome &result)
{
	fail(result);
	dead_ = true;
}

void queue::post(std::uint32_t tag, const outcome &result)
{
	const std::uint16_t phase = (completed_ >> depth_log2_ & 1) ^ OAC_PHASE_MASK;
	const oac_completion entry = { result.info, tag, result.status, phase };
	std::byte *at = nullptr;

	outcome posted = cq_.entry(completed_, at);
	if (posted.ok() && at) {
		std::uint64_t words[2];
		std::memcpy(words, &entry, sizeof(words));
		/* the phase is in the second word: who sees it sees the first */
		store(at, 0, words[0], std::memory_order_relaxed);
		store(at, sizeof(words[0]), words[1], std::memory_order_release);
	} else if (posted.ok()) {
		posted = context_.write(cq_.va_of(completed_), std::as_bytes(std::span(&entry, 1)));
	}
	if (posted.ok())
		completed_++;
	else
		die(posted);
}

void queue::publish()
{
	if (completed_ != published_completed_) {
		std::span<std::byte> direct;
		outcome result =
			context_.window(tail_va_, sizeof(completed_), access::write, direct);
		if (result.ok() && direct.size() == sizeof(completed_) && is_aligned(direct.data()))
			store(direct.data(), 0, completed_, std::memory_order_release);
		else if (result.ok())
			result = context_.write(tail_va_, std::as_bytes(std::span(&completed_, 1)));
		if (!result.ok())
			die(result);
	}
	const bool has_failed = published_state_ != state_;
	if (has_failed || completed_ != published_completed_ || sq_head_ != published_head_ ||
	    compute_ns_ + copy_ns_ != published_ns_)
		write_progress();
	/* tail before ARM here, ARM before tail on the host: one of the two sees the other */
	std::atomic_thread_fence(std::memory_order_seq_cst);
	if (has_new_arm()) {
		arm_word_ = doorbell<std::uint64_t>(OAC_DB_ARM);
		armed_ = true;
	}
	if (armed_ && dead_ && has_failed) {
		/* no completion will tell the waiter */
		armed_ = false;
		board_.interrupt(vector_);
	}
	raise_if_armed();
}

void queue::write_progress()
{
	published_head_ = sq_head_;
	published_completed_ = completed_;
	published_state_ = state_;
	published_ns_ = compute_ns_ + copy_ns_;
	if (progress_address_ == 0)
		return;
	oac_progress line{};
	line.sq_head = sq_head_;
	line.completed = completed_;
	line.state = state_;
	line.status = failure_.status;
	line.fault_addr = failure_.is_access_fault() ? failure_.info : 0;
	line.error_count = error_count_;
	line.compute_ns = compute_ns_;
	line.copy_ns = copy_ns_;
	const std::span<std::byte> direct =
		board_.port.dma_window(progress_address_, sizeof(line), access::write);
	if (direct.size() < sizeof(line) || !is_aligned(direct.data())) {
		if (!board_.host_write(progress_address_, std::as_bytes(std::span(&line, 1))))
			die({ OAC_ST_DMA_ERROR, 0 });
		return;
	}
	/* head and completions last: who sees them sees the rest of the line */
	constexpr std::size_t skip = offsetof(oac_progress, state);
	std::memcpy(direct.data() + skip, reinterpret_cast<std::byte *>(&line) + skip,
		    sizeof(line) - skip);
	std::uint64_t counts;
	std::memcpy(&counts, &line, sizeof(counts));
	store(direct.data(), 0, counts, std::memory_order_release);
}

void queue::arm()
{
	arm_word_ = doorbell<std::uint64_t>(OAC_DB_ARM);
	armed_ = true;
	raise_if_armed();
}

void queue::raise_if_armed()
{
	if (!armed_ || completed_ == (arm_word_ & OAC_DB_ARM_SEEN_MASK))
		return;
	armed_ = false;
	board_.interrupt(vector_);
}

} // namespace oac::emu
