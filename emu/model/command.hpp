// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One user command in flight: taken from the ring as a private copy, validated once, then carried
// out in slices, because a step of the card is bounded. A queue has one of these.
#pragma once

#include <cstdint>
#include <memory>

#include <hw/oac_queue.h>

#include "board.hpp"
#include "context.hpp"
#include "operation.hpp"
#include "outcome.hpp"

namespace oac::emu
{

class command
{
public:
	enum class progress { done, more, blocked };

	command(board &on, context &in) : board_(on), context_(in) {}

	/* Takes the command over and validates it; done: result() says how it ended. */
	progress start(const oac_cmd &cmd);
	/* Another slice, as the budget allows. */
	progress advance(step_budget &budget);

	/* Taken over, and then nothing, until thaw(), which is a start(), or cancel(). */
	void freeze(const oac_cmd &cmd);
	progress thaw();
	bool is_frozen() const { return frozen_; }
	/* What was begun is not done. */
	void cancel(std::uint16_t status) { finish({ status, 0 }); }

	bool is_move() const { return cmd_.opcode == OAC_CMD_COPY || cmd_.opcode == OAC_CMD_FILL; }
	bool is_active() const { return active_; }
	std::uint32_t tag() const { return cmd_.tag; }
	const outcome &result() const { return result_; }

private:
	progress finish(outcome result);
	std::uint16_t validate() const;
	progress start_timeline();
	progress start_timestamp();
	progress start_exec();
	progress advance_copy(step_budget &budget);
	progress advance_fill(step_budget &budget);
	progress advance_wait();
	outcome signal();

	board &board_;
	context &context_;
	oac_cmd cmd_{};
	bool active_ = false, frozen_ = false;
	outcome result_;
	std::uint64_t row_ = 0, offset_ = 0; /* COPY, FILL: done so far */
	std::unique_ptr<operation> operation_; /* EXEC */
};

} // namespace oac::emu
