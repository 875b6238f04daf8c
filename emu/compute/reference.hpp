// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Plain nested loops for every operator: the oracle of the tests, and what S8 operators run on
// where the CPU's 8-bit instructions saturate. Nothing here is shared with the fast code but the
// shapes. F32 sums are made in double precision.
#pragma once

#include "engine.hpp"

namespace oac::compute::reference
{

void gemm_f32(const gemm_shape &shape, const float *a, const float *b, const float *bias,
	      float *out);
/* The bare products: no bias, no requantisation. */
void gemm_s32(const gemm_shape &shape, const std::int8_t *a, const std::int8_t *b,
	      std::int32_t *acc);
void gemm_s8(const gemm_shape &shape, const std::int8_t *a, const std::int8_t *b,
	     const std::int32_t *bias, const s8_output &out);
void conv_f32(const conv_shape &shape, range pixels, const float *in, const float *weights,
	      const float *bias, float *out);
void conv_s8(const conv_shape &shape, range pixels, const std::int8_t *in,
	     const std::int8_t *weights, const std::int32_t *bias, const s8_output &out);
void max_pool(const pool_shape &shape, const float *in, float *out);
void max_pool(const pool_shape &shape, const std::int8_t *in, std::int8_t *out);
void relu(std::size_t count, const float *in, float *out);
void relu(std::size_t count, const std::int8_t *in, std::int8_t *out);
void add(std::size_t count, const float *a, const float *b, float *out);
void add(std::size_t count, const std::int8_t *a, const std::int8_t *b, std::int8_t *out);
void softmax(std::size_t rows, std::size_t cols, const float *in, float *out);

} // namespace oac::compute::reference
