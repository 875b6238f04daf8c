// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What GEMM and convolution share behind the products. Private to emu/compute.
#pragma once

#include "engine.hpp"

namespace oac::compute
{

/* rows x cols accumulators to the output; bias is added in place, modulo 2^32. */
void finish_s8(std::size_t rows, std::size_t cols, bool relu, std::int32_t *acc,
	       const std::int32_t *bias, const s8_output &out);
void finish_f32(std::size_t rows, std::size_t cols, bool relu, const float *bias, float *out);

/* The same output, so many elements on. */
s8_output rows_from(const s8_output &out, std::size_t elements);

} // namespace oac::compute
