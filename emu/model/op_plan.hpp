// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An operator descriptor, checked against include/hw/oac_ops.h and the running firmware, and turned
// into operands and shapes. Pure: it touches no memory but its arguments, so every refusal can be
// tested without a card.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <compute/engine.hpp>
#include <hw/oac_ops.h>

#include "board.hpp"

namespace oac::emu
{

struct op_plan {
	/* Roles of operands; A and B are also input and weights. */
	enum role { A, B, BIAS, REQUANT, OUT, ROLES };

	struct operand {
		std::uint64_t va = 0;
		std::uint64_t bytes = 0; /* 0: not there */
		access kind = access::read;
	};

	unsigned op = 0;
	bool is_s8 = false;
	bool to_s32 = false;
	bool per_channel = false;
	std::array<operand, ROLES> operands;

	compute::gemm_shape gemm{};
	compute::conv_shape conv{};
	compute::pool_shape pool{};
	std::size_t rows = 0, cols = 0; /* SOFTMAX */

	/* Work is cut between units: rows, pixels or elements. */
	std::size_t units = 0;
	std::uint64_t unit_cost = 0; /* about F32 multiply-adds */
	std::size_t granule = 1; /* units per slice are a multiple of this if they can be */
};

/* Fills plan; returns OAC_ST_*, SUCCESS if the operator may run. */
std::uint16_t plan_operator(const oac_op &op, const firmware &by, op_plan &plan);

/* multiplier and shift of each entry are in range. */
bool is_valid_requant(const oac_requant *entries, std::size_t count);

} // namespace oac::emu
