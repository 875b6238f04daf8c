// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Operators against plain loops: int8 results are exact, float results within the bound that the
// card's contract gives for any order of accumulation.
#include "fixture.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace
{

using piece_s8 = api::arena::piece<std::int8_t>;
using piece_s32 = api::arena::piece<std::int32_t>;
using piece_f32 = api::arena::piece<float>;

/// The contract's rule, in exact integers.
std::int8_t requantise(std::int32_t sum, const accel::requant &by, bool relu)
{
	std::int64_t wide =
		std::int64_t{ sum } * by.multiplier + (std::int64_t{ 1 } << (by.shift - 1));
	return static_cast<std::int8_t>(
		std::clamp<std::int64_t>(wide >> by.shift, relu ? 0 : -128, 127));
}

/// A sum of products with what its float error may be.
struct bounded {
	double sum = 0, magnitude = 0;
	unsigned count = 0;

	void add(double a, double b)
	{
		sum += a * b;
		magnitude += std::abs(a * b);
		count++;
	}
	void expect_near(float got, bool relu) const
	{
		double want = relu ? std::max(0.0, sum) : sum;
		ASSERT_LE(std::abs(got - want), (count + 2) * std::ldexp(magnitude, -23) + 1e-30)
			<< got << " for " << want;
	}
};

class operator_test : public api::queue_test
{
protected:
	piece_s8 random_s8(std::size_t count)
	{
		auto piece = memory().take<std::int8_t>(count);
		std::ranges::generate(piece.host, [&] { return random_.next_s8(); });
		return piece;
	}

	piece_f32 random_f32(std::size_t count)
	{
		auto piece = memory().take<float>(count);
		std::ranges::generate(piece.host, [&] { return random_.next_f32(); });
		return piece;
	}

	piece_s32 random_bias(std::size_t count)
	{
		auto piece = memory().take<std::int32_t>(count);
		std::ranges::generate(piece.host, [&] { return random_.next_s8() * 40; });
		return piece;
	}

	api::arena::piece<accel::requant> scales(std::size_t count)
	{
		auto piece = memory().take<accel::requant>(count);
		std::ranges::generate(piece.host, [&] {
			return accel::requant{ static_cast<std::int32_t>(random_.next() % 1000 + 1),
					       15 + random_.next() % 3 };
		});
		return piece;
	}

	template <class Op>
	accel::completion exec(const Op &op)
	{
		return api::run(queue(), [&](auto tag) { return queue().try_exec(op, tag); });
	}

	void check_gemm_s8(accel::gemm op);
	void check_gemm_f32(accel::gemm op);
	void check_conv_s8(accel::conv2d op);

	api::numbers random_{ 11 };
};

accel::gemm gemm_of(std::uint32_t m, std::uint32_t n, std::uint32_t k)
{
	accel::gemm op{};
	op.m = m;
	op.n = n;
	op.k = k;
	return op;
}

/// op gives sizes and flags; tensors are made here.
void operator_test::check_gemm_s8(accel::gemm op)
{
	auto a = random_s8(op.m * op.k), b = random_s8(op.k * op.n);
	auto bias = random_bias(op.n);
	auto by = scales(op.per_channel ? op.n : 1);
	auto out = memory().take<std::int8_t>(op.m * op.n);
	auto sums = memory().take<std::int32_t>(op.m * op.n);
	const bool plain = op.out_type == ACCEL_TYPE_S32;

	op.type = ACCEL_TYPE_S8;
	op.a = a.address;
	op.b = b.address;
	op.bias = bias.address;
	op.requant = plain ? 0 : by.address;
	op.out = plain ? sums.address : out.address;
	EXPECT_DONE(exec(op));

	for (std::uint32_t i = 0; i < op.m; i++)
		for (std::uint32_t j = 0; j < op.n; j++) {
			std::int32_t sum = bias.host[j];
			for (std::uint32_t k = 0; k < op.k; k++)
				sum += a.host[i * op.k + k] *
				       b.host[op.b_transposed ? j * op.k + k : k * op.n + j];
			std::int32_t want = op.relu ? std::max(0, sum) : sum;
			if (!plain)
				want = requantise(sum, by.host[op.per_channel ? j : 0], op.relu);
			ASSERT_EQ(plain ? sums.host[i * op.n + j] : out.host[i * op.n + j], want)
				<< i << ", " << j;
		}
}

TEST_F(operator_test, gemm_s8_is_exact)
{
	if (!number(ACCEL_NUMBER_FEATURE_INT8))
		GTEST_SKIP() << "this firmware has no int8";
	for (auto [m, n, k] : { std::array{ 1u, 1u, 1u },
				{ 1u, 10u, 64u },
				{ 17u, 33u, 65u },
				{ 64u, 64u, 64u },
				{ 5u, 3u, 700u } })
		for (unsigned flags = 0; flags < 8; flags++) {
			SCOPED_TRACE(testing::Message()
				     << m << "x" << n << "x" << k << " " << flags);
			accel::gemm op = gemm_of(m, n, k);
			op.out_type = ACCEL_TYPE_S8;
			op.b_transposed = flags & 1;
			op.relu = (flags & 2) != 0;
			op.per_channel = (flags & 4) != 0;
			memory_.emplace(device(), context(), memory_size);
			check_gemm_s8(op);
		}
}

TEST_F(operator_test, gemm_s8_gives_plain_sums)
{
	for (bool relu : { false, true }) {
		accel::gemm op = gemm_of(9, 20, 31);
		op.out_type = ACCEL_TYPE_S32;
		op.relu = relu;
		check_gemm_s8(op);
	}
}

TEST_F(operator_test, gemm_s8_without_bias_at_the_limits)
{
	constexpr std::uint32_t k = 1000;
	auto a = memory().take<std::int8_t>(k), b = memory().take<std::int8_t>(k);
	auto out = memory().take<std::int32_t>(1);
	accel::gemm op = gemm_of(1, 1, k);

	op.type = ACCEL_TYPE_S8;
	op.out_type = ACCEL_TYPE_S32;
	op.a = a.address;
	op.b = b.address;
	op.out = out.address;
	std::ranges::fill(a.host, std::int8_t{ -128 });
	std::ranges::fill(b.host, std::int8_t{ -128 });
	EXPECT_DONE(exec(op));
	EXPECT_EQ(out.host[0], 128 * 128 * 1000);
	std::ranges::fill(b.host, std::int8_t{ 127 });
	EXPECT_DONE(exec(op));
	EXPECT_EQ(out.host[0], -128 * 127 * 1000);
}

void operator_test::check_gemm_f32(accel::gemm op)
{
	auto a = random_f32(op.m * op.k), b = random_f32(op.k * op.n), bias = random_f32(op.n);
	auto out = memory().take<float>(op.m * op.n);

	op.a = a.address;
	op.b = b.address;
	op.bias = bias.address;
	op.out = out.address;
	EXPECT_DONE(exec(op));
	for (std::uint32_t i = 0; i < op.m; i++)
		for (std::uint32_t j = 0; j < op.n; j++) {
			bounded want;
			want.add(bias.host[j], 1);
			for (std::uint32_t k = 0; k < op.k; k++)
				want.add(a.host[i * op.k + k],
					 b.host[op.b_transposed ? j * op.k + k : k * op.n + j]);
			want.expect_near(out.host[i * op.n + j], op.relu);
		}
}

TEST_F(operator_test, gemm_f32_is_within_its_bound)
{
	if (!number(ACCEL_NUMBER_FEATURE_FP32))
		GTEST_SKIP() << "this firmware has no fp32";
	for (unsigned flags = 0; flags < 4; flags++) {
		accel::gemm op = gemm_of(31, 45, 129);
		op.b_transposed = flags & 1;
		op.relu = (flags & 2) != 0;
		check_gemm_f32(op);
	}
	check_gemm_f32(gemm_of(1, 1, 1));
	check_gemm_f32(gemm_of(100, 1, 300));
}

/// Calls each(tap, in index, weight index) for every kernel tap inside the image.
template <class Each>
void for_taps(const accel::conv2d &op, std::uint32_t n, std::uint32_t y, std::uint32_t x,
	      std::uint32_t oc, Each &&each)
{
	for (std::uint32_t ky = 0; ky < op.kh; ky++)
		for (std::uint32_t kx = 0; kx < op.kw; kx++) {
			std::uint32_t row = y * op.stride_h + ky, col = x * op.stride_w + kx;
			if (row < op.pad_top || row - op.pad_top >= op.h || col < op.pad_left ||
			    col - op.pad_left >= op.w)
				continue;
			std::size_t in = ((std::size_t{ n } * op.h + row - op.pad_top) * op.w +
					  col - op.pad_left) *
					 op.ic;
			std::size_t weight =
				((std::size_t{ oc } * op.kh + ky) * op.kw + kx) * op.ic;
			for (std::uint32_t c = 0; c < op.ic; c++)
				each(in + c, weight + c);
		}
}

struct out_shape {
	explicit out_shape(const accel::conv2d &op)
		: h((op.h + op.pad_top + op.pad_bottom - op.kh) / op.stride_h + 1),
		  w((op.w + op.pad_left + op.pad_right - op.kw) / op.stride_w + 1)
	{
	}
	std::uint32_t h, w;
};

accel::conv2d conv_of(std::uint32_t h, std::uint32_t w, std::uint32_t ic, std::uint32_t oc,
		      std::uint16_t kernel, std::uint16_t stride, std::uint16_t pad)
{
	accel::conv2d op{};
	op.n = 2;
	op.h = h;
	op.w = w;
	op.ic = ic;
	op.oc = oc;
	op.kh = op.kw = kernel;
	op.stride_h = op.stride_w = stride;
	op.pad_top = op.pad_bottom = op.pad_left = op.pad_right = pad;
	return op;
}

void operator_test::check_conv_s8(accel::conv2d op)
{
	const out_shape shape(op);
	auto in = random_s8(std::size_t{ op.n } * op.h * op.w * op.ic);
	auto weights = random_s8(std::size_t{ op.oc } * op.kh * op.kw * op.ic);
	auto bias = random_bias(op.oc);
	auto by = scales(op.per_channel ? op.oc : 1);
	auto out = memory().take<std::int8_t>(std::size_t{ op.n } * shape.h * shape.w * op.oc);

	op.type = op.out_type = ACCEL_TYPE_S8;
	op.in = in.address;
	op.weights = weights.address;
	op.bias = bias.address;
	op.requant = by.address;
	op.out = out.address;
	EXPECT_DONE(exec(op));

	for (std::size_t i = 0; i < out.host.size(); i++) {
		auto oc = static_cast<std::uint32_t>(i % op.oc);
		auto x = static_cast<std::uint32_t>(i / op.oc % shape.w);
		auto y = static_cast<std::uint32_t>(i / op.oc / shape.w % shape.h);
		auto n = static_cast<std::uint32_t>(i / op.oc / shape.w / shape.h);
		std::int32_t sum = bias.host[oc];
		for_taps(op, n, y, x, oc, [&](std::size_t a, std::size_t b) {
			sum += in.host[a] * weights.host[b];
		});
		ASSERT_EQ(out.host[i], requantise(sum, by.host[op.per_channel ? oc : 0], op.relu))
			<< n << ", " << y << ", " << x << ", " << oc;
	}
}

TEST_F(operator_test, conv2d_s8_is_exact)
{
	check_conv_s8(conv_of(8, 8, 1, 8, 3, 1, 1));
	check_conv_s8(conv_of(9, 7, 5, 6, 3, 2, 0));
	check_conv_s8(conv_of(4, 4, 16, 16, 1, 1, 0));
	check_conv_s8(conv_of(11, 6, 3, 4, 5, 3, 4));
	accel::conv2d odd = conv_of(7, 10, 3, 5, 3, 1, 0);
	odd.kw = 2;
	odd.stride_w = 2;
	odd.pad_top = 2;
	odd.pad_right = 1;
	odd.per_channel = odd.relu = 1;
	check_conv_s8(odd);
}

TEST_F(operator_test, conv2d_f32_is_within_its_bound)
{
	accel::conv2d op = conv_of(9, 8, 3, 4, 3, 2, 1);
	const out_shape shape(op);
	auto in = random_f32(std::size_t{ op.n } * op.h * op.w * op.ic);
	auto weights = random_f32(std::size_t{ op.oc } * op.kh * op.kw * op.ic);
	auto out = memory().take<float>(std::size_t{ op.n } * shape.h * shape.w * op.oc);

	op.in = in.address;
	op.weights = weights.address;
	op.out = out.address;
	op.relu = 1;
	EXPECT_DONE(exec(op));
	for (std::size_t i = 0; i < out.host.size(); i++) {
		bounded want;
		for_taps(op, static_cast<std::uint32_t>(i / op.oc / shape.w / shape.h),
			 static_cast<std::uint32_t>(i / op.oc / shape.w % shape.h),
			 static_cast<std::uint32_t>(i / op.oc % shape.w),
			 static_cast<std::uint32_t>(i % op.oc), [&](std::size_t a, std::size_t b) {
				 want.add(in.host[a], weights.host[b]);
			 });
		want.expect_near(out.host[i], true);
	}
}

template <class Element>
void check_max_pool(accel::completion (*run)(accel::queue &, const accel::max_pool &),
		    accel::queue &queue, accel::max_pool op, std::span<const Element> in,
		    std::span<const Element> out)
{
	std::uint32_t oh = (op.h - op.kh) / op.stride_h + 1, ow = (op.w - op.kw) / op.stride_w + 1;

	EXPECT_DONE(run(queue, op));
	for (std::size_t i = 0; i < std::size_t{ op.n } * oh * ow * op.c; i++) {
		std::size_t c = i % op.c, x = i / op.c % ow, y = i / op.c / ow % oh;
		std::size_t n = i / op.c / ow / oh;
		Element want = std::numeric_limits<Element>::lowest();
		for (std::size_t ky = 0; ky < op.kh; ky++)
			for (std::size_t kx = 0; kx < op.kw; kx++)
				want = std::max(want, in[((n * op.h + y * op.stride_h + ky) * op.w +
							  x * op.stride_w + kx) *
								 op.c +
							 c]);
		ASSERT_EQ(out[i], want) << n << ", " << y << ", " << x << ", " << c;
	}
}

TEST_F(operator_test, max_pool_takes_the_largest)
{
	auto run = [](accel::queue &queue, const accel::max_pool &op) {
		return api::run(queue, [&](auto tag) { return queue.try_exec(op, tag); });
	};
	accel::max_pool op{};
	op.n = 2;
	op.h = 9;
	op.w = 7;
	op.c = 5;
	op.kh = op.kw = op.stride_w = 2;
	op.stride_h = 3;

	auto in_s8 = random_s8(2 * 9 * 7 * 5), out_s8 = memory().take<std::int8_t>(2 * 9 * 7 * 5);
	op.type = ACCEL_TYPE_S8;
	op.in = in_s8.address;
	op.out = out_s8.address;
	check_max_pool<std::int8_t>(run, queue(), op, in_s8.host, out_s8.host);

	auto in_f32 = random_f32(2 * 9 * 7 * 5), out_f32 = memory().take<float>(2 * 9 * 7 * 5);
	op.type = ACCEL_TYPE_F32;
	op.in = in_f32.address;
	op.out = out_f32.address;
	check_max_pool<float>(run, queue(), op, in_f32.host, out_f32.host);
}

TEST_F(operator_test, relu_in_place_and_beside)
{
	auto s8 = random_s8(1001), out = memory().take<std::int8_t>(1001);
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_relu(ACCEL_TYPE_S8, out.address, s8.address, 1001, tag);
	}));
	for (std::size_t i = 0; i < 1001; i++)
		ASSERT_EQ(out.host[i], std::max<int>(0, s8.host[i]));

	auto f32 = random_f32(1001);
	std::vector<float> before(f32.host.begin(), f32.host.end());
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_relu(ACCEL_TYPE_F32, f32.address, f32.address, 1001, tag);
	}));
	for (std::size_t i = 0; i < 1001; i++)
		ASSERT_EQ(f32.host[i], std::max(0.0f, before[i]));
}

TEST_F(operator_test, add_saturates_bytes)
{
	auto a = random_s8(5000), b = random_s8(5000), out = memory().take<std::int8_t>(5000);
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_add(ACCEL_TYPE_S8, out.address, a.address, b.address, 5000, tag);
	}));
	for (std::size_t i = 0; i < 5000; i++)
		ASSERT_EQ(out.host[i], std::clamp(a.host[i] + b.host[i], -128, 127));
}

TEST_F(operator_test, add_of_floats_over_an_input)
{
	auto a = random_f32(777), b = random_f32(777);
	std::vector<float> before(a.host.begin(), a.host.end());
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_add(ACCEL_TYPE_F32, a.address, a.address, b.address, 777, tag);
	}));
	for (std::size_t i = 0; i < 777; i++)
		ASSERT_EQ(a.host[i], before[i] + b.host[i]);
}

TEST_F(operator_test, softmax_of_rows)
{
	constexpr std::uint32_t rows = 13, cols = 10;
	auto in = random_f32(rows * cols), out = memory().take<float>(rows * cols);
	for (std::uint32_t i = 0; i < cols; i++)
		in.host[i] *= 80;	// large ones must not overflow
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_softmax(out.address, in.address, rows, cols, tag);
	}));
	for (std::uint32_t y = 0; y < rows; y++) {
		auto row = in.host.subspan(y * cols, cols);
		double top = *std::ranges::max_element(row), sum = 0;
		for (float value : row)
			sum += std::exp(value - top);
		for (std::uint32_t x = 0; x < cols; x++) {
			double want = std::exp(row[x] - top) / sum;
			ASSERT_NEAR(out.host[y * cols + x], want, std::ldexp(want, -18) + 1e-38);
		}
	}
}

TEST_F(operator_test, chain_of_operators_in_one_submit)
{
	auto in = random_f32(4 * 8), weights = random_f32(8 * 8), out = memory().take<float>(4 * 8);
	auto half = memory().take<float>(4 * 8);
	accel::gemm op = gemm_of(4, 8, 8);

	op.a = in.address;
	op.b = weights.address;
	op.out = half.address;
	ASSERT_EQ(queue().try_exec(op, 1), 0);
	ASSERT_EQ(queue().try_relu(ACCEL_TYPE_F32, half.address, half.address, 32, 2), 0);
	ASSERT_EQ(queue().try_softmax(out.address, half.address, 4, 8, 3), 0);
	ASSERT_EQ(queue().submit(), 0);
	for (const auto &done : api::collect(queue(), 3))
		EXPECT_DONE(done);
	for (std::size_t row = 0; row < 4; row++) {
		double sum = 0;
		for (float value : out.host.subspan(row * 8, 8))
			sum += value;
		EXPECT_NEAR(sum, 1, 1e-4);
	}
}

TEST_F(operator_test, more_operators_than_the_queue_is_deep)
{
	// Descriptors in flight must not be overwritten by those of later commands.
	accel::queue small(context(), 4);
	auto a = memory().take<std::int8_t>(64), out = memory().take<std::int8_t>(64 * 1000);
	const std::uint32_t total = scaled(1000);
	std::uint32_t written = 0, reaped = 0;

	std::ranges::fill(a.host, std::int8_t{ 3 });
	while (reaped < total) {
		while (written < total && small.try_relu(ACCEL_TYPE_S8, out.address + 64 * written,
							 a.address, 1 + written % 64, written) == 0)
			written++;
		ASSERT_EQ(small.submit(), 0);
		for (const auto &done : api::collect(small, 1)) {
			ASSERT_EQ(done.tag, reaped++);
			ASSERT_EQ(done.result, 0) << accel_code_text(done.code);
		}
	}
	for (std::uint32_t i = 0; i < total; i++)
		ASSERT_EQ(std::ranges::count(out.host.subspan(64 * i, 64), 3), 1 + i % 64) << i;
}

/// The card or the library refuses it; nobody computes it.
#define EXPECT_REFUSED(write) \
	do { \
		accel::queue fresh(context(), 4u); \
		int written = (write); \
		if (written != 0) { \
			EXPECT_EQ(written, -EINVAL) << accel_error_text(); \
			break; \
		} \
		EXPECT_EQ(fresh.submit(), 0); \
		auto done = api::collect(fresh, 1); \
		ASSERT_EQ(done.size(), 1u); \
		EXPECT_LT(done[0].result, 0); \
		EXPECT_NE(done[0].code, 0u); \
	} while (0)

TEST_F(operator_test, wrong_operators_are_refused)
{
	auto data = random_f32(64 * 64);
	accel::gemm good = gemm_of(4, 4, 4);
	good.a = good.b = data.address;
	good.out = data.address + 8192;

	for (std::uint32_t accel::gemm::*dimension :
	     { &accel::gemm::m, &accel::gemm::n, &accel::gemm::k })
		for (std::uint32_t value : { 0u, 0x10001u, UINT32_MAX }) {
			accel::gemm op = good;
			op.*dimension = value;
			EXPECT_REFUSED(fresh.try_exec(op, 1));
		}
	accel::gemm op = good;
	op.out_type = ACCEL_TYPE_S8;
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	op = good;
	op.type = ACCEL_TYPE_S32;
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	op = good;
	op.out = op.a;
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	op = good;
	op.a += 2;
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	op = good;
	op.b = 0;
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	EXPECT_DONE(exec(good));
}

TEST_F(operator_test, wrong_convolutions_are_refused)
{
	auto data = random_f32(64 * 64);
	accel::conv2d good = conv_of(8, 8, 2, 2, 3, 1, 1);
	good.in = data.address;
	good.weights = data.address + 4096;
	good.out = data.address + 8192;

	for (std::uint16_t accel::conv2d::*field :
	     { &accel::conv2d::kh, &accel::conv2d::kw, &accel::conv2d::stride_h,
	       &accel::conv2d::stride_w }) {
		accel::conv2d op = good;
		op.*field = 0;
		EXPECT_REFUSED(fresh.try_exec(op, 1));
	}
	accel::conv2d op = good;
	op.kh = 11;	// larger than the padded image
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	op = good;
	op.pad_top = 3;	// a whole kernel of padding
	EXPECT_REFUSED(fresh.try_exec(op, 1));
	EXPECT_REFUSED(fresh.try_softmax(data.address + 8192, data.address, 0, 4, 1));
	EXPECT_REFUSED(
		fresh.try_add(ACCEL_TYPE_S32, data.address, data.address, data.address, 4, 1));
	EXPECT_DONE(exec(good));
}

} // namespace
