// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See reference.hpp. Written to be read, not to be fast.
#include "reference.hpp"

#include <algorithm>
#include <cmath>

namespace oac::compute::reference
{

namespace
{

std::int8_t requantise(std::int32_t acc, const oac_requant &requant, bool relu)
{
	const __int128 divisor = static_cast<__int128>(1) << requant.shift;
	const __int128 sum = static_cast<__int128>(acc) * requant.multiplier + divisor / 2;
	__int128 quotient = sum / divisor;

	if (sum % divisor < 0)
		quotient--;
	if (quotient > 127)
		return 127;
	const int low = relu ? 0 : -128;
	return static_cast<std::int8_t>(quotient < low ? low : static_cast<int>(quotient));
}

/* 32-bit addition that wraps, as the accumulator does. */
std::int32_t wrap_add(std::int32_t a, std::int32_t b)
{
	return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) +
					 static_cast<std::uint32_t>(b));
}

void store_s8(std::int32_t acc, std::size_t at, std::size_t channel, const std::int32_t *bias,
	      bool relu, const s8_output &out)
{
	if (bias)
		acc = wrap_add(acc, bias[channel]);
	if (out.s32)
		out.s32[at] = relu ? std::max(acc, 0) : acc;
	else
		out.s8[at] = requantise(acc, out.requant[out.per_channel ? channel : 0], relu);
}

/* Calls visit(input index, weight index) for each tap of one output pixel inside the image. */
template <typename Visit>
void for_each_tap(const conv_shape &s, std::size_t pixel, Visit visit)
{
	const std::size_t image = pixel / (s.oh * s.ow);
	const std::size_t oy = pixel / s.ow % s.oh, ox = pixel % s.ow;

	for (std::size_t ky = 0; ky < s.kh; ky++) {
		const std::size_t y = oy * s.stride_h + ky;
		if (y < s.pad_top || y - s.pad_top >= s.h)
			continue;
		for (std::size_t kx = 0; kx < s.kw; kx++) {
			const std::size_t x = ox * s.stride_w + kx;
			if (x < s.pad_left || x - s.pad_left >= s.w)
				continue;
			visit(((image * s.h + y - s.pad_top) * s.w + x - s.pad_left) * s.ic,
			      (ky * s.kw + kx) * s.ic);
		}
	}
}

template <typename Element>
void max_pool_any(const pool_shape &s, const Element *in, Element *out)
{
	for (std::size_t row = 0; row < s.n * s.oh; row++) {
		const std::size_t image = row / s.oh, oy = row % s.oh;
		for (std::size_t ox = 0; ox < s.ow; ox++) {
			for (std::size_t c = 0; c < s.c; c++) {
				Element best =
					in[((image * s.h + oy * s.stride_h) * s.w + ox * s.stride_w) *
						   s.c +
					   c];
				for (std::size_t tap = 0; tap < s.kh * s.kw; tap++) {
					const std::size_t y = oy * s.stride_h + tap / s.kw;
					const std::size_t x = ox * s.stride_w + tap % s.kw;
					best = std::max(
						best, in[((image * s.h + y) * s.w + x) * s.c + c]);
				}
				out[(row * s.ow + ox) * s.c + c] = best;
			}
		}
	}
}

} // namespace

void gemm_f32(const gemm_shape &s, const float *a, const float *b, const float *bias, float *out)
{
	for (std::size_t i = 0; i < s.m; i++) {
		for (std::size_t j = 0; j < s.n; j++) {
			double sum = bias ? bias[j] : 0.0;
			for (std::size_t p = 0; p < s.k; p++)
				sum += static_cast<double>(a[i * s.k + p]) *
				       (s.trans_b ? b[j * s.k + p] : b[p * s.n + j]);
			out[i * s.n + j] = static_cast<float>(s.relu ? std::max(sum, 0.0) : sum);
		}
	}
}

void gemm_s32(const gemm_shape &s, const std::int8_t *a, const std::int8_t *b, std::int32_t *acc)
{
	for (std::size_t i = 0; i < s.m; i++) {
		for (std::size_t j = 0; j < s.n; j++) {
			std::int32_t sum = 0;
			for (std::size_t p = 0; p < s.k; p++)
				sum += a[i * s.k + p] *
				       (s.trans_b ? b[j * s.k + p] : b[p * s.n + j]);
			acc[i * s.n + j] = sum;
		}
	}
}

void gemm_s8(const gemm_shape &s, const std::int8_t *a, const std::int8_t *b,
	     const std::int32_t *bias, const s8_output &out)
{
	std::vector<std::int32_t> acc(s.m * s.n);

	gemm_s32(s, a, b, acc.data());
	for (std::size_t at = 0; at < acc.size(); at++)
		store_s8(acc[at], at, at % s.n, bias, s.relu, out);
}

void conv_f32(const conv_shape &s, range pixels, const float *in, const float *weights,
	      const float *bias, float *out)
{
	for (std::size_t pixel = pixels.begin; pixel < pixels.end; pixel++) {
		for (std::size_t oc = 0; oc < s.oc; oc++) {
			double sum = bias ? bias[oc] : 0.0;
			for_each_tap(s, pixel, [&](std::size_t from, std::size_t weight) {
				const float *w = weights + oc * s.depth() + weight;
				for (std::size_t c = 0; c < s.ic; c++)
					sum += static_cast<double>(in[from + c]) * w[c];
			});
			out[pixel * s.oc + oc] =
				static_cast<float>(s.relu ? std::max(sum, 0.0) : sum);
		}
	}
}

void conv_s8(const conv_shape &s, range pixels, const std::int8_t *in, const std::int8_t *weights,
	     const std::int32_t *bias, const s8_output &out)
{
	for (std::size_t pixel = pixels.begin; pixel < pixels.end; pixel++) {
		for (std::size_t oc = 0; oc < s.oc; oc++) {
			std::int32_t sum = 0;
			for_each_tap(s, pixel, [&](std::size_t from, std::size_t weight) {
				const std::int8_t *w = weights + oc * s.depth() + weight;
				for (std::size_t c = 0; c < s.ic; c++)
					sum += in[from + c] * w[c];
			});
			store_s8(sum, pixel * s.oc + oc, oc, bias, s.relu, out);
		}
	}
}

void max_pool(const pool_shape &shape, const float *in, float *out)
{
	max_pool_any(shape, in, out);
}

void max_pool(const pool_shape &shape, const std::int8_t *in, std::int8_t *out)
{
	max_pool_any(shape, in, out);
}

void relu(std::size_t count, const float *in, float *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = std::max(0.0f, in[i]);
}

void relu(std::size_t count, const std::int8_t *in, std::int8_t *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = std::max<std::int8_t>(0, in[i]);
}

void add(std::size_t count, const float *a, const float *b, float *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = a[i] + b[i];
}

void add(std::size_t count, const std::int8_t *a, const std::int8_t *b, std::int8_t *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = static_cast<std::int8_t>(std::clamp(a[i] + b[i], -128, 127));
}

void softmax(std::size_t rows, std::size_t cols, const float *in, float *out)
{
	for (std::size_t row = 0; row < rows; row++) {
		const float *from = in + row * cols;
		const double top = *std::max_element(from, from + cols);
		double sum = 0;

		for (std::size_t c = 0; c < cols; c++)
			sum += std::exp(from[c] - top);
		for (std::size_t c = 0; c < cols; c++)
			out[row * cols + c] = static_cast<float>(std::exp(from[c] - top) / sum);
	}
}

} // namespace oac::compute::reference
