// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A user queue: watches its doorbell page, takes commands from the submission ring, posts
// completions, publishes its tail and progress line once per batch, raises armed interrupts.
// Everything it reads from rings and doorbells may be hostile.
#pragma once

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

/* A ring in device memory, seen through a window that lasts for one step. */
class ring_view
{
public:
	ring_view(const context &in, std::uint64_t va, std::uint32_t depth,
		  std::uint32_t entry_size, access kind)
		: context_(in), va_(va), mask_(depth - 1), entry_size_(entry_size), kind_(kind)
	{
	}

	void forget() { window_ = {}; }
	std::uint64_t va_of(std::uint32_t count) const
	{
		return va_ + std::uint64_t{ count & mask_ } * entry_size_;
	}
	/* The entry, or null if it can only be reached by read() and write() of the context. */
	outcome entry(std::uint32_t count, std::byte *&at);

private:
	const context &context_;
	std::uint64_t va_;
	std::uint32_t mask_, entry_size_;
	access kind_;
	std::uint32_t first_ = 0; /* slot the window begins with */
	std::span<std::byte> window_;
};

class queue
{
public:
	/* Counts begin at first: 0, but for tests of their wrap-around. */
	queue(board &on, context &in, const oac_admin_queue_create &how, std::uint32_t first = 0);
	~queue();
	queue(const queue &) = delete;
	queue &operator=(const queue &) = delete;

	/* Looks at the doorbell words: true if run() has something to do now. */
	bool poll(std::uint64_t now_ns);
	/* Carries out a batch or a slice of a long command, and publishes. */
	void run(std::uint64_t now_ns);
	/* A trapped write to ARM: arms even if the sequence is an old one. */
	void arm();
	/* When to look at the word of a WAIT again. */
	std::optional<std::uint64_t> next_poll_ns() const;

	unsigned priority() const { return priority_; }
	const context &owner() const { return context_; }
	const std::uint16_t id;

private:
	void account(const step_budget &budget);
	void take_commands(step_budget &budget, std::uint64_t now_ns);
	bool start_next(step_budget &budget);
	bool advance(step_budget &budget, std::uint64_t now_ns);
	bool fetch(oac_cmd &cmd);
	void complete(std::uint32_t tag, const outcome &result);
	void post(std::uint32_t tag, const outcome &result);
	void fail(const outcome &result);
	void die(const outcome &result);
	void publish();
	void write_progress();
	void raise_if_armed();
	bool has_new_arm() const;

	template <typename Word>
	Word doorbell(std::uint64_t word) const
	{
		return board_.doorbells.load<Word>(id * std::uint64_t{ OAC_DB_PAGE_SIZE } + word);
	}

	board &board_;
	context &context_;
	const std::uint64_t tail_va_, progress_address_;
	const std::uint32_t depth_;
	const unsigned depth_log2_, vector_, priority_;
	ring_view sq_, cq_;
	command command_;

	std::uint32_t sq_head_, completed_;
	std::uint32_t published_head_, published_completed_;
	std::uint32_t published_state_ = OAC_QUEUE_RUNNING;
	std::uint32_t state_ = OAC_QUEUE_RUNNING;
	bool dead_ = false; /* rings cannot be reached: nothing more to take or tell */
	outcome failure_;
	std::uint64_t error_count_ = 0;
	std::uint64_t compute_ns_ = 0, copy_ns_ = 0, published_ns_ = 0;
	/* The clock at the batch's first copy or fill, and engine time up to it. */
	std::uint64_t copy_began_ns_ = 0, copy_began_compute_ns_ = 0;

	bool armed_ = false;
	std::uint64_t arm_word_ = 0;

	bool blocked_ = false; /* on a WAIT */
	std::uint64_t next_poll_ns_ = 0, poll_period_ns_ = 0, seen_epoch_ = 0;
};

} // namespace oac::emu
