// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One EXEC in flight: fetches the descriptor, gathers operands that are not contiguous into
// private buffers, runs the engine slice by slice, and writes staged results back. What the host
// may change while it runs can change the numbers only, never what is touched.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "board.hpp"
#include "context.hpp"
#include "op_plan.hpp"
#include "outcome.hpp"
#include "step_budget.hpp"

namespace oac::emu
{

class operation
{
public:
	operation(board &on, context &in) : board_(on), context_(in) {}

	/* Fetches and checks the descriptor at va and the rights to all operands. */
	outcome start(std::uint64_t va);
	/* true: done, see result(). */
	bool advance(step_budget &budget);
	const outcome &result() const { return result_; }

private:
	enum class phase { gather, run, scatter };

	/* Where an operand is now: a private copy, or (per slice) the memory itself. */
	struct place {
		std::unique_ptr<std::byte[]> copy;
		std::byte *at = nullptr;
	};

	std::byte *find_in_place(const op_plan::operand &operand, std::uint64_t element) const;
	std::uint64_t element_of(unsigned role) const;
	bool stage();
	/* Moves the copies in or out, a slice at a time; true: all moved or failed. */
	bool move(access kind, step_budget &budget);
	bool bind();
	bool run(step_budget &budget);
	void run_slice(compute::range slice);
	void run_products(compute::range slice);
	void account();

	template <typename Element>
	Element *as(unsigned role) const
	{
		return reinterpret_cast<Element *>(places_[role].at);
	}

	board &board_;
	context &context_;
	op_plan plan_;
	phase phase_ = phase::gather;
	std::array<place, op_plan::ROLES> places_;
	unsigned role_ = 0; /* gather, scatter: the operand being moved ... */
	std::uint64_t moved_ = 0; /* ... and how far */
	std::size_t done_ = 0; /* run: units */
	unsigned engine_ = 0; /* whose answer it is */
	outcome result_;
};

} // namespace oac::emu
