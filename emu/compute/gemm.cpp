// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// GEMM in F32 and S8, and the exact S8 tail: bias, relu, requantisation.
#include "gemm.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "primitives.hpp"
#include "reference.hpp"

namespace oac::compute
{

namespace
{

/* Accumulators of one block of rows: big enough to pack b once, small enough for the cache. */
constexpr std::size_t ACCUMULATORS_MAX = std::size_t{ 1 } << 21;

/* Multiply-adds from which on a primitive pays. */
constexpr std::size_t BIG = std::size_t{ 1 } << 16;

dnnl_dim_t dim(std::size_t value)
{
	return static_cast<dnnl_dim_t>(value);
}

/* One way to multiply 8-bit matrices; false: it does not take this shape. */
using multiply_fn = bool (*)(engine::cache &cache, const gemm_shape &s, const std::int8_t *a,
			     const std::int8_t *b, std::int32_t *acc);

/* No set-up: for small ones. */
bool multiply_small(engine::cache &, const gemm_shape &s, const std::int8_t *a,
		    const std::int8_t *b, std::int32_t *acc)
{
	const std::int32_t no_offset = 0;

	return dnnl_gemm_s8s8s32('N', s.trans_b ? 'T' : 'N', 'F', dim(s.m), dim(s.n), dim(s.k),
				 1.0f, a, dim(s.k), 0, b, dim(s.trans_b ? s.k : s.n), 0, 0.0f, acc,
				 dim(s.n), &no_offset) == dnnl_success;
}

void build_matmul(const gemm_shape &s, const dnnl::engine &cpu, primitive_entry &entry)
{
	using desc = dnnl::memory::desc;
	using tag = dnnl::memory::format_tag;
	const auto s8 = dnnl::memory::data_type::s8, s32 = dnnl::memory::data_type::s32;
	const desc a({ dim(s.m), dim(s.k) }, s8, tag::ab);
	const desc b({ dim(s.k), dim(s.n) }, s8, s.trans_b ? tag::ba : tag::ab);
	const desc acc({ dim(s.m), dim(s.n) }, s32, tag::ab);

	entry.run = dnnl::matmul(dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, acc), cpu));
	entry.memories = { dnnl::memory(a, cpu, nullptr), dnnl::memory(b, cpu, nullptr),
			   dnnl::memory(acc, cpu, nullptr) };
}

/* A primitive per shape: several times faster once it is made. */
bool multiply_big(engine::cache &cache, const gemm_shape &s, const std::int8_t *a,
		  const std::int8_t *b, std::int32_t *acc)
{
	try {
		primitive_entry &entry =
			cache.get({ 'm', s.m, s.n, s.k, s.trans_b }, [&](primitive_entry &fresh) {
				build_matmul(s, cache.cpu, fresh);
			});
		/* oneDNN takes mutable pointers for inputs too; it does not write to them */
		entry.memories[0].set_data_handle(const_cast<std::int8_t *>(a));
		entry.memories[1].set_data_handle(const_cast<std::int8_t *>(b));
		entry.memories[2].set_data_handle(acc);
		entry.run.execute(cache.stream, { { DNNL_ARG_SRC, entry.memories[0] },
						  { DNNL_ARG_WEIGHTS, entry.memories[1] },
						  { DNNL_ARG_DST, entry.memories[2] } });
		cache.stream.wait();
		return true;
	} catch (const dnnl::error &) {
		return false;
	}
}

/* Extreme values: saturation in 16 bits or rounding in floating point would show. */
bool is_exact_at(multiply_fn multiply, engine::cache &cache, const gemm_shape &s)
{
	std::vector<std::int8_t> a(s.m * s.k), b(s.k * s.n);
	std::vector<std::int32_t> fast(s.m * s.n), plain(s.m * s.n);
	static constexpr std::array<std::int8_t, 5> extremes = { -128, -128, 127, -127, -128 };
	std::size_t at = 0;

	for (std::int8_t &value : a)
		value = extremes[at++ / 3 % extremes.size()];
	for (std::int8_t &value : b)
		value = extremes[at++ / 7 % extremes.size()];
	if (!multiply(cache, s, a.data(), b.data(), fast.data()))
		return false;
	reference::gemm_s32(s, a.data(), b.data(), plain.data());
	return fast == plain;
}

/* At sizes that take different kernels. */
bool is_exact(multiply_fn multiply)
{
	engine::cache cache;

	use_one_thread();
	return is_exact_at(multiply, cache, { 33, 40, 130 }) &&
	       is_exact_at(multiply, cache, { 1, 65, 257, true }) &&
	       is_exact_at(multiply, cache, { 17, 16, 4099 }) &&
	       is_exact_at(multiply, cache, { 64, 3, 1024, true });
}

bool small_is_exact()
{
	static const bool exact = is_exact(multiply_small);
	return exact;
}

bool big_is_exact()
{
	static const bool exact = is_exact(multiply_big);
	return exact;
}

/* Compiled for wide vectors too, chosen at run time; ThreadSanitizer cannot start such binaries. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

/* q = clamp((acc * multiplier + 2^(shift-1)) >> shift, low, 127), see oac_ops.h. */
inline std::int8_t requantise(std::int32_t acc, std::uint32_t multiplier, std::uint32_t shift,
			      std::int64_t low)
{
	const std::int64_t half = std::int64_t{ 1 } << (shift - 1);
	/* the multiplier is below 2^31: a signed 32 by 32 bit product */
	const std::int64_t product = std::int64_t{ acc } * static_cast<std::int32_t>(multiplier);
	const std::int64_t q = (product + half) >> shift;

	return static_cast<std::int8_t>(q < low ? low : q > 127 ? 127 : q);
}

WIDE void requantise_row(std::size_t count, const std::int32_t *from, oac_requant by,
			 std::int64_t low, std::int8_t *to)
{
	for (std::size_t i = 0; i < count; i++)
		to[i] = requantise(from[i], by.multiplier, by.shift, low);
}

/* Multipliers and shifts apart, not in pairs: that is what vectors load. */
struct channel_requants {
	explicit channel_requants(std::span<const oac_requant> all)
	{
		for (const oac_requant &each : all) {
			multipliers.push_back(each.multiplier);
			shifts.push_back(each.shift);
		}
	}

	std::vector<std::uint32_t> multipliers, shifts;
};

WIDE void requantise_row_by_channel(std::size_t count, const std::int32_t *from,
				    const std::uint32_t *multipliers, const std::uint32_t *shifts,
				    std::int64_t low, std::int8_t *to)
{
	for (std::size_t i = 0; i < count; i++)
		to[i] = requantise(from[i], multipliers[i], shifts[i], low);
}

void add_bias(std::size_t rows, std::size_t cols, const std::int32_t *bias, std::int32_t *acc)
{
	for (std::size_t row = 0; row < rows; row++) {
		for (std::size_t col = 0; col < cols; col++) {
			const std::uint32_t sum =
				static_cast<std::uint32_t>(acc[row * cols + col]) +
				static_cast<std::uint32_t>(bias[col]);
			acc[row * cols + col] = static_cast<std::int32_t>(sum);
		}
	}
}

} // namespace

void finish_s8(std::size_t rows, std::size_t cols, bool relu, std::int32_t *acc,
	       const std::int32_t *bias, const s8_output &out)
{
	if (bias)
		add_bias(rows, cols, bias, acc);
	if (out.s32) {
		for (std::size_t at = 0; at < rows * cols; at++)
			out.s32[at] = relu ? std::max(acc[at], 0) : acc[at];
		return;
	}
	const std::int64_t low = relu ? 0 : -128;
	const channel_requants by(std::span(out.requant, out.per_channel ? cols : 0));
	for (std::size_t row = 0; row < rows; row++) {
		const std::int32_t *from = acc + row * cols;
		std::int8_t *to = out.s8 + row * cols;
		if (out.per_channel)
			requantise_row_by_channel(cols, from, by.multipliers.data(),
						  by.shifts.data(), low, to);
		else
			requantise_row(cols, from, out.requant[0], low, to);
	}
}

void finish_f32(std::size_t rows, std::size_t cols, bool relu, const float *bias, float *out)
{
	if (!bias && !relu)
		return;
	for (std::size_t row = 0; row < rows; row++) {
		float *to = out + row * cols;
		for (std::size_t col = 0; bias && col < cols; col++)
			to[col] += bias[col];
		for (std::size_t col = 0; relu && col < cols; col++)
			to[col] = std::max(0.0f, to[col]);
	}
}

s8_output rows_from(const s8_output &out, std::size_t elements)
{
	s8_output rest = out;

	if (rest.s8)
		rest.s8 += elements;
	if (rest.s32)
		rest.s32 += elements;
	return rest;
}

bool engine::s8_is_fast()
{
	return small_is_exact() && big_is_exact();
}

void engine::accumulate_s8(const gemm_shape &s, const std::int8_t *a, const std::int8_t *b,
			   std::int32_t *acc)
{
	use_one_thread();
	if (s.m * s.n * s.k >= BIG && big_is_exact() && multiply_big(*cache_, s, a, b, acc))
		return;
	if (small_is_exact() && multiply_small(*cache_, s, a, b, acc))
		return;
	reference::gemm_s32(s, a, b, acc);
}

void engine::gemm_f32(const gemm_shape &s, const float *a, const float *b, const float *bias,
		      float *out)
{
	use_one_thread();
	if (dnnl_sgemm('N', s.trans_b ? 'T' : 'N', dim(s.m), dim(s.n), dim(s.k), 1.0f, a, dim(s.k),
		       b, dim(s.trans_b ? s.k : s.n), 0.0f, out, dim(s.n)) == dnnl_success)
		finish_f32(s.m, s.n, s.relu, bias, out);
	else
		reference::gemm_f32(s, a, b, bias, out);
}

void engine::gemm_s8(const gemm_shape &s, const std::int8_t *a, const std::int8_t *b,
		     const std::int32_t *bias, const s8_output &out)
{
	const std::size_t block = std::clamp<std::size_t>(ACCUMULATORS_MAX / s.n, 1, s.m);

	if (acc_.size() < block * s.n)
		acc_.resize(block * s.n);
	for (std::size_t row = 0; row < s.m; row += block) {
		gemm_shape part = s;
		part.m = std::min(block, s.m - row);
		accumulate_s8(part, a + row * s.k, b, acc_.data());
		finish_s8(part.m, s.n, s.relu, acc_.data(), bias, rows_from(out, row * s.n));
	}
}

} // namespace oac::compute
