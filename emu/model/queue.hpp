// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A user queue: watches its doorbell page, takes commands from the submission ring, posts
// completions, publishes its tail and progress line once per batch, raises armed interrupts.
// Everything it reads from rings and doorbells may be hostile.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "board.hpp"
#include "command.hpp"
#include "context.hpp"

namespace oac::emu
{

/*
 * A stretch of device memory that is looked at again and again: a ring, the published tail, the
 * progress line. Keeps the window on it for as long as that is good (card_port::window_epoch).
 */
class kept_window
{
public:
	/* Entry number at, or null: then look() for it. */
	std::byte *entry(const board &on, std::uint32_t at, std::size_t entry_size) const
	{
		at -= first_;
		return at < count_ && epoch_ == on.port.window_epoch ? base_ + at * entry_size :
								       nullptr;
	}
	/* How many entries there are in a row, if there is this one. */
	std::uint32_t rest(std::uint32_t at) const { return count_ - (at - first_); }
	/* A window that begins with entry number at. What is not aligned counts as not direct. */
	void keep(const board &on, std::uint32_t at, std::size_t entry_size,
		  std::span<std::byte> direct);

private:
	std::byte *base_ = nullptr;
	std::uint32_t first_ = 0, count_ = 0;
	std::uint64_t epoch_ = 0;
};

/* A ring in device memory. */
template <typename Entry>
class ring_view
{
public:
	ring_view(const board &on, const context &in, std::uint64_t va, std::uint32_t depth,
		  access kind)
		: board_(on), context_(in), va_(va), mask_(depth - 1), kind_(kind)
	{
	}

	std::uint64_t va_of(std::uint32_t count) const
	{
		return va_ + std::uint64_t{ count & mask_ } * sizeof(Entry);
	}
	/* The entry, or null: look() says why. */
	std::byte *entry(std::uint32_t count) const
	{
		return window_.entry(board_, count & mask_, sizeof(Entry));
	}
	/* How many there are in a row from entry() on. */
	std::uint32_t rest(std::uint32_t count) const { return window_.rest(count & mask_); }
	/* at: the entry, or null if it can only be reached by read() and write() of the context. */
	outcome look(std::uint32_t count, std::byte *&at);

private:
	const board &board_;
	const context &context_;
	std::uint64_t va_;
	std::uint32_t mask_;
	access kind_;
	kept_window window_;
};

class queue
{
public:
	/* Counts begin at first: 0, but for tests of their wrap-around. */
	queue(board &on, context &in, const oac_admin_queue_create &how, std::uint32_t first = 0);
	~queue();
	queue(const queue &) = delete;
	queue &operator=(const queue &) = delete;

	/* How many commands have been rung for, if the host is to be believed. */
	std::uint32_t pending() const { return doorbell<std::uint32_t>(OAC_DB_SQ_TAIL) - sq_head_; }
	/* Looks at the doorbell words: true if run() has something to do now. */
	bool poll() const
	{
		const std::uint32_t rung = pending();

		return has_commands(rung) || has_new_arm() ||
		       ((rung != 0 || is_special_) && has_rare_work(rung));
	}
	/* Less than poll(), and the most frequent part of it: so many are reason to run(). */
	bool has_commands(std::uint32_t rung) const { return rung - 1 < depth_limit_; }
	/* A command is begun or waits, or the rings cannot be reached: doorbells do not say it all. */
	bool is_special() const { return is_special_; }
	/* Carries out a batch or a slice of a long command, publishes; what it cost, never 0. */
	std::int64_t run();
	/*
	 * The short way for what a runtime sends most of when it measures or keeps in step: correct
	 * NOPs at the head of a queue in which all is as usual and at hand. Whether so many can be
	 * taken this way, and taking them: what it cost, 0 if the first one is none. In
	 * queue_nops.hpp.
	 */
	bool has_at_hand(std::uint32_t rung) const
	{
		return rung - 1 < hand_.count && hand_.epoch == epoch_;
	}
	std::int64_t take_nops(std::uint32_t count);
	/* Takes ARM over; a trapped write arms even if the sequence is an old one. */
	void arm();
	/* The command at hand fails, and the queue. false: an engine does not let go of it. */
	bool abort();
	/* Does an engine let go of the command at hand, if this is done about it? */
	bool is_released(rung how) const
	{
		return !command_.is_frozen() || !board_.hooks || board_.hooks->releases(id, how);
	}
	bool is_frozen() const { return command_.is_frozen(); }
	/* A frozen command goes on as if nothing had been. */
	void thaw();
	/* A completion that was kept back. */
	void post_late(const oac_completion &entry);
	/* Faults have come or gone: short cuts are to be taken anew. */
	void reconsider();
	/* A command that takes long is still worked on, or has its turn ahead. */
	void show_steps();
	/* When to look at the word of a WAIT again. */
	std::optional<std::uint64_t> next_poll_ns() const;

	unsigned priority() const { return priority_; }
	unsigned weight() const { return weight_; }
	const context &owner() const { return context_; }
	const std::uint16_t id;

private:
	void account(const step_budget &budget);
	bool has_rare_work(std::uint32_t pending) const;
	void take_commands(step_budget &budget);
	std::uint32_t reach_nops();
	void set_shortcuts();
	bool start_next(step_budget &budget);
	bool advance(step_budget &budget);
	void set_blocked(bool is_blocked);
	bool fetch(oac_cmd &cmd);
	bool fetch_slowly(oac_cmd &cmd);
	bool is_let_through(const oac_cmd &cmd);
	bool is_doorbell_lost();
	queue_name name() const { return { id, context_.id }; }
	void complete(std::uint32_t tag, const outcome &result);
	void post(std::uint32_t tag, const outcome &result);
	void post_slowly(std::uint32_t tag, const outcome &result);
	void post_as_told(const post_order &order);
	void put(const oac_completion &entry);
	void fail(const outcome &result);
	void die(const outcome &result);
	void refuse_doorbell(std::uint32_t tail);
	void publish(bool has_progress, bool has_completions);
	void publish_tail();
	void publish_tail_slowly();
	void write_progress();
	std::uint64_t write_whole_progress(std::byte *at);
	void raise_if_armed();
	std::int64_t arm_after(std::int64_t cost);
	bool has_new_arm() const
	{
		return (doorbell<std::uint64_t>(OAC_DB_ARM) ^ arm_word_) >> OAC_DB_ARM_SEQ_SHIFT;
	}
	/* As oac_progress has them side by side. */
	static std::uint64_t progress_counts(std::uint32_t sq_head, std::uint32_t completed)
	{
		return std::uint64_t{ completed } << 32 | sq_head;
	}
	std::uint16_t phase_of(std::uint32_t count) const
	{
		return static_cast<std::uint16_t>((count >> depth_log2_ & 1) ^ OAC_PHASE_MASK);
	}

	template <typename Word>
	Word doorbell(std::uint64_t word) const
	{
		return std::atomic_ref(*reinterpret_cast<Word *>(page_ + word))
			.load(std::memory_order_acquire);
	}

	/* For take_nops(): where the next command is and its completion goes, as long as epoch is. */
	struct at_hand {
		const std::byte *from;
		std::byte *to;
		std::byte *tail, *line;
		std::uint64_t ending; /* see post_at() */
		std::uint64_t epoch;
		std::uint32_t count = 0; /* so many in a row, of both; 0 as well if not as usual */
	};

	board &board_;
	const std::uint64_t &epoch_; /* of windows */
	context &context_;
	std::byte *const page_; /* in the doorbell BAR, which stays where it is */
	std::uint32_t sq_head_;
	at_hand hand_;
	const std::uint64_t tail_va_, progress_address_;
	const std::uint32_t depth_;
	const unsigned depth_log2_, vector_, priority_, weight_;
	/* See set_shortcuts(). */
	std::uint32_t depth_limit_; /* depth_ while a doorbell is reason to run, else 0 */
	bool is_usual_, is_special_ = false;
	ring_view<oac_cmd> sq_;
	ring_view<oac_completion> cq_;
	kept_window tail_, progress_;
	command command_;

	std::uint32_t completed_;
	bool is_line_old_ = true; /* more than the counts of the progress line has changed */
	std::uint32_t state_ = OAC_QUEUE_RUNNING;
	bool dead_ = false; /* rings cannot be reached: nothing more to take or tell */
	bool is_death_untold_ = false; /* no completion will tell the waiter: an interrupt does */
	outcome failure_;
	std::uint64_t error_count_ = 0;
	std::uint64_t compute_ns_ = 0, copy_ns_ = 0;
	std::uint32_t steps_ = 0, shown_steps_ = 0; /* see oac_progress */
	std::uint32_t seen_tail_ = 0; /* of the doorbell, while faults are watched for */
	/* The clock at the batch's first copy or fill, and engine time up to it. */
	std::uint64_t copy_began_ns_ = 0, copy_began_compute_ns_ = 0;

	bool armed_ = false;
	std::uint64_t arm_word_ = 0;

	bool blocked_ = false; /* on a WAIT */
	std::uint64_t next_poll_ns_ = 0, poll_period_ns_ = 0, seen_epoch_ = 0;
};

} // namespace oac::emu
