// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fast operators against the plain loops: S8 bit for bit, extremes included, F32 within the bound
// that oac_ops.h documents.
#include <cmath>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include <compute/reference.hpp>

namespace oac::compute
{
namespace
{

class compute_test : public ::testing::Test
{
protected:
	std::size_t pick(std::size_t low, std::size_t high)
	{
		return std::uniform_int_distribution<std::size_t>(low, high)(random_);
	}

	/* A third of the values are extremes. */
	std::vector<std::int8_t> s8(std::size_t count)
	{
		std::vector<std::int8_t> all(count);
		const std::size_t style = pick(0, 3);
		for (std::int8_t &value : all) {
			const std::size_t kind = style == 3 ? 0 : pick(0, 5);
			value = kind == 0 ? -128 :
				kind == 1 ? 127 :
					    static_cast<std::int8_t>(
						    static_cast<int>(pick(0, 255)) - 128);
		}
		return all;
	}

	std::vector<std::int32_t> s32(std::size_t count)
	{
		std::vector<std::int32_t> all(count);
		for (std::int32_t &value : all)
			value = static_cast<std::int32_t>(random_());
		return all;
	}

	std::vector<float> f32(std::size_t count)
	{
		std::vector<float> all(count);
		for (float &value : all)
			value = std::uniform_real_distribution<float>(-2, 2)(random_);
		return all;
	}

	std::vector<oac_requant> requants(std::size_t count)
	{
		std::vector<oac_requant> all(count);
		for (oac_requant &entry : all) {
			entry.multiplier = static_cast<std::uint32_t>(pick(1, INT32_MAX));
			entry.shift = static_cast<std::uint32_t>(pick(1, 62));
		}
		return all;
	}

	void expect_gemm_s8(const gemm_shape &shape);
	void expect_gemm_f32(const gemm_shape &shape);
	conv_shape random_conv();

	std::mt19937 random_{ 20240607 };
	engine engine_;
};

void compute_test::expect_gemm_s8(const gemm_shape &shape)
{
	const auto a = s8(shape.m * shape.k), b = s8(shape.k * shape.n);
	const auto bias = s32(shape.n);
	const auto requant = requants(shape.n);
	std::vector<std::int8_t> fast(shape.m * shape.n), plain(fast.size());
	std::vector<std::int32_t> fast32(fast.size()), plain32(fast.size());
	const bool per_channel = pick(0, 1);
	const std::int32_t *with = pick(0, 1) ? bias.data() : nullptr;

	engine_.gemm_s8(shape, a.data(), b.data(), with,
			{ requant.data(), per_channel, fast.data(), nullptr });
	reference::gemm_s8(shape, a.data(), b.data(), with,
			   { requant.data(), per_channel, plain.data(), nullptr });
	EXPECT_EQ(fast, plain) << shape.m << 'x' << shape.n << 'x' << shape.k;
	engine_.gemm_s8(shape, a.data(), b.data(), with,
			{ nullptr, false, nullptr, fast32.data() });
	reference::gemm_s8(shape, a.data(), b.data(), with,
			   { nullptr, false, nullptr, plain32.data() });
	EXPECT_EQ(fast32, plain32) << shape.m << 'x' << shape.n << 'x' << shape.k;
}

void compute_test::expect_gemm_f32(const gemm_shape &shape)
{
	const auto a = f32(shape.m * shape.k), b = f32(shape.k * shape.n), bias = f32(shape.n);
	std::vector<float> fast(shape.m * shape.n), plain(fast.size());
	const float *with = pick(0, 1) ? bias.data() : nullptr;

	engine_.gemm_f32(shape, a.data(), b.data(), with, fast.data());
	reference::gemm_f32(shape, a.data(), b.data(), with, plain.data());
	for (std::size_t i = 0; i < shape.m; i++) {
		for (std::size_t j = 0; j < shape.n; j++) {
			double magnitude = with ? std::abs(bias[j]) : 0;
			for (std::size_t p = 0; p < shape.k; p++)
				magnitude += std::abs(
					a[i * shape.k + p] *
					(shape.trans_b ? b[j * shape.k + p] : b[p * shape.n + j]));
			const double bound = static_cast<double>(shape.k + 1) * 0x1p-23 * magnitude;
			ASSERT_NEAR(fast[i * shape.n + j], plain[i * shape.n + j], bound);
		}
	}
}

TEST_F(compute_test, GemmS8IsExact)
{
	for (int round = 0; round < 40; round++)
		expect_gemm_s8({ pick(1, 70), pick(1, 70), pick(1, 300), pick(0, 1) == 1,
				 pick(0, 1) == 1 });
	expect_gemm_s8({ 3, 2, 131071, true, false });
	expect_gemm_s8({ 1, 1, 1 });
	expect_gemm_s8({ 2, 3000, 5 });
}

TEST_F(compute_test, GemmS8ExtremesDoNotWrap)
{
	const std::size_t k = 131071;
	const std::vector<std::int8_t> low(k, -128);
	std::int32_t sum = 0;

	engine_.gemm_s8({ 1, 1, k }, low.data(), low.data(), nullptr,
			{ nullptr, false, nullptr, &sum });
	EXPECT_EQ(sum, 131071 * 16384);
}

TEST_F(compute_test, RequantisationRoundsAsWritten)
{
	/* acc = 3 * 1, 1/2 -> 1.5 rounds up to 2; -3/2 -> -1.5 rounds up to -1 */
	const oac_requant half = { 1, 1 };
	const std::int8_t three = 3, one = 1, minus = -3;
	std::int8_t out = 0;

	engine_.gemm_s8({ 1, 1, 1 }, &three, &one, nullptr, { &half, false, &out, nullptr });
	EXPECT_EQ(out, 2);
	engine_.gemm_s8({ 1, 1, 1 }, &minus, &one, nullptr, { &half, false, &out, nullptr });
	EXPECT_EQ(out, -1);
	engine_.gemm_s8({ 1, 1, 1, false, true }, &minus, &one, nullptr,
			{ &half, false, &out, nullptr });
	EXPECT_EQ(out, 0);
}

TEST_F(compute_test, GemmF32IsWithinBound)
{
	for (int round = 0; round < 25; round++)
		expect_gemm_f32({ pick(1, 60), pick(1, 60), pick(1, 200), pick(0, 1) == 1,
				  pick(0, 1) == 1 });
	expect_gemm_f32({ 2, 3, 20000, true, true });
}

conv_shape compute_test::random_conv()
{
	for (;;) {
		conv_shape s{};
		s.n = pick(1, 3), s.h = pick(1, 12), s.w = pick(1, 12);
		s.ic = pick(1, 20), s.oc = pick(1, 20);
		s.kh = pick(1, 5), s.kw = pick(1, 5);
		s.stride_h = pick(1, 3), s.stride_w = pick(1, 3);
		s.pad_top = pick(0, s.kh - 1), s.pad_bottom = pick(0, s.kh - 1);
		s.pad_left = pick(0, s.kw - 1), s.pad_right = pick(0, s.kw - 1);
		if (s.h + s.pad_top + s.pad_bottom < s.kh || s.w + s.pad_left + s.pad_right < s.kw)
			continue;
		s.oh = (s.h + s.pad_top + s.pad_bottom - s.kh) / s.stride_h + 1;
		s.ow = (s.w + s.pad_left + s.pad_right - s.kw) / s.stride_w + 1;
		s.relu = pick(0, 1);
		return s;
	}
}

TEST_F(compute_test, ConvS8IsExactAlsoInSlices)
{
	for (int round = 0; round < 60; round++) {
		const conv_shape s = random_conv();
		const auto in = s8(s.n * s.h * s.w * s.ic), weights = s8(s.oc * s.depth());
		const auto bias = s32(s.oc);
		const auto requant = requants(s.oc);
		std::vector<std::int8_t> fast(s.pixels() * s.oc), plain(fast.size());
		const std::size_t cut = pick(0, s.pixels());
		const s8_output out = { requant.data(), true, fast.data(), nullptr };

		if (cut)
			engine_.conv_s8(s, { 0, cut }, in.data(), weights.data(), bias.data(), out);
		engine_.conv_s8(s, { cut, s.pixels() }, in.data(), weights.data(), bias.data(),
				out);
		reference::conv_s8(s, { 0, s.pixels() }, in.data(), weights.data(), bias.data(),
				   { requant.data(), true, plain.data(), nullptr });
		ASSERT_EQ(fast, plain);
	}
}

TEST_F(compute_test, ConvF32IsWithinBoundAlsoInSlices)
{
	for (int round = 0; round < 60; round++) {
		const conv_shape s = random_conv();
		const auto in = f32(s.n * s.h * s.w * s.ic), weights = f32(s.oc * s.depth());
		const auto bias = f32(s.oc);
		std::vector<float> fast(s.pixels() * s.oc), plain(fast.size());
		const std::size_t cut = round % 2 ? pick(0, s.pixels()) : 0;

		if (cut)
			engine_.conv_f32(s, { 0, cut }, in.data(), weights.data(), bias.data(),
					 fast.data());
		if (cut < s.pixels())
			engine_.conv_f32(s, { cut, s.pixels() }, in.data(), weights.data(),
					 bias.data(), fast.data());
		reference::conv_f32(s, { 0, s.pixels() }, in.data(), weights.data(), bias.data(),
				    plain.data());
		const double depth = static_cast<double>(s.depth() + 1);
		for (std::size_t i = 0; i < fast.size(); i++)
			ASSERT_NEAR(fast[i], plain[i], depth * 0x1p-23 * depth * 4);
	}
}

TEST_F(compute_test, MaxPoolIsExact)
{
	for (int round = 0; round < 40; round++) {
		pool_shape s{};
		s.n = pick(1, 3), s.h = pick(1, 14), s.w = pick(1, 14), s.c = pick(1, 20);
		s.kh = pick(1, s.h), s.kw = pick(1, s.w);
		s.stride_h = pick(1, 4), s.stride_w = pick(1, 4);
		s.oh = (s.h - s.kh) / s.stride_h + 1;
		s.ow = (s.w - s.kw) / s.stride_w + 1;
		const std::size_t rows = s.n * s.oh, cut = pick(0, rows);
		const auto in = s8(s.n * s.h * s.w * s.c);
		std::vector<std::int8_t> fast(rows * s.ow * s.c), plain(fast.size());
		engine_.max_pool(s, { 0, cut }, in.data(), fast.data());
		engine_.max_pool(s, { cut, rows }, in.data(), fast.data());
		reference::max_pool(s, in.data(), plain.data());
		ASSERT_EQ(fast, plain);
		const auto in32 = f32(in.size());
		std::vector<float> fast32(fast.size()), plain32(fast.size());
		engine_.max_pool(s, { 0, rows }, in32.data(), fast32.data());
		reference::max_pool(s, in32.data(), plain32.data());
		ASSERT_EQ(fast32, plain32);
	}
}

TEST_F(compute_test, EltwiseIsExact)
{
	for (const std::size_t count : { 1ul, 15ul, 64ul, 1001ul }) {
		const auto a = s8(count), b = s8(count);
		const auto x = f32(count), y = f32(count);
		std::vector<std::int8_t> fast(count), plain(count);
		std::vector<float> fast32(count), plain32(count);

		engine_.add(count, a.data(), b.data(), fast.data());
		reference::add(count, a.data(), b.data(), plain.data());
		EXPECT_EQ(fast, plain);
		engine_.relu(count, a.data(), fast.data());
		reference::relu(count, a.data(), plain.data());
		EXPECT_EQ(fast, plain);
		engine_.add(count, x.data(), y.data(), fast32.data());
		reference::add(count, x.data(), y.data(), plain32.data());
		EXPECT_EQ(fast32, plain32);
		engine_.relu(count, x.data(), fast32.data());
		reference::relu(count, x.data(), plain32.data());
		EXPECT_EQ(fast32, plain32);
	}
	const std::int8_t low = -128;
	std::int8_t sum = 0;
	engine_.add(1, &low, &low, &sum);
	EXPECT_EQ(sum, -128);
}

TEST_F(compute_test, SoftmaxIsWithinBound)
{
	for (int round = 0; round < 20; round++) {
		const std::size_t rows = pick(1, 9), cols = pick(1, 700);
		auto in = f32(rows * cols);
		for (float &value : in)
			value *= 10;
		std::vector<float> fast(in.size()), plain(in.size());

		engine_.softmax(rows, cols, in.data(), fast.data());
		reference::softmax(rows, cols, in.data(), plain.data());
		for (std::size_t i = 0; i < in.size(); i++)
			ASSERT_NEAR(fast[i], plain[i], plain[i] * 0x1p-18);
	}
}

TEST_F(compute_test, ManyShapesDoNotPileUp)
{
	/* more shapes than primitives are kept, twice: the second time they are built again */
	for (std::size_t cols = 1; cols <= 80; cols++) {
		const auto in = f32(cols);
		std::vector<float> fast(cols), plain(cols);
		engine_.softmax(1, cols, in.data(), fast.data());
		reference::softmax(1, cols, in.data(), plain.data());
		ASSERT_NEAR(fast[0], plain[0], plain[0] * 0x1p-18);
	}
}

} // namespace
} // namespace oac::compute
