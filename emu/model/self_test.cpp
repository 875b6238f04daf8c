// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See self_test.hpp. The known answers come from the plain loops of compute/reference, which share
// nothing with the fast code, once per process.
#include "self_test.hpp"

#include <array>
#include <cmath>
#include <cstddef>

#include <compute/reference.hpp>

namespace oac::emu
{

namespace
{

constexpr compute::gemm_shape SHAPE = { .m = 8, .n = 16, .k = 96 };
constexpr double F32_TOLERANCE = 1e-5; /* of the largest sum there can be */

struct problem {
	std::array<std::int8_t, SHAPE.m * SHAPE.k> a8;
	std::array<std::int8_t, SHAPE.k * SHAPE.n> b8;
	std::array<float, SHAPE.m * SHAPE.k> a32;
	std::array<float, SHAPE.k * SHAPE.n> b32;
	std::array<std::int32_t, SHAPE.m * SHAPE.n> s32;
	std::array<float, SHAPE.m * SHAPE.n> f32;

	problem();
};

/* Every value of a byte comes up, extremes included. */
problem::problem()
{
	constexpr unsigned factor = 197, bits = 8;
	const auto byte = [](std::size_t n) {
		return static_cast<std::int8_t>((n * factor + (n >> bits)) & UINT8_MAX);
	};

	for (std::size_t n = 0; n < a8.size(); n++) {
		a8[n] = byte(n);
		a32[n] = static_cast<float>(a8[n]) / INT8_MAX;
	}
	for (std::size_t n = 0; n < b8.size(); n++) {
		b8[n] = byte(n + a8.size());
		b32[n] = static_cast<float>(b8[n]) / INT8_MAX;
	}
	compute::reference::gemm_s32(SHAPE, a8.data(), b8.data(), s32.data());
	compute::reference::gemm_f32(SHAPE, a32.data(), b32.data(), nullptr, f32.data());
}

template <typename Array>
std::span<std::byte> bytes_in(Array &all)
{
	return std::as_writable_bytes(std::span(all));
}

bool is_right(board &on, unsigned engine, const problem &known)
{
	auto s32 = known.s32;
	auto f32 = known.f32;
	compute::s8_output out;

	s32.fill(0);
	f32.fill(0);
	out.s32 = s32.data();
	on.engine.gemm_s8(SHAPE, known.a8.data(), known.b8.data(), nullptr, out);
	on.engine.gemm_f32(SHAPE, known.a32.data(), known.b32.data(), nullptr, f32.data());
	if (on.hooks) {
		on.hooks->on_answer(engine, bytes_in(s32));
		on.hooks->on_answer(engine, bytes_in(f32));
	}
	for (std::size_t n = 0; n < f32.size(); n++) {
		if (!(std::abs(f32[n] - known.f32[n]) <= F32_TOLERANCE * SHAPE.k))
			return false;
	}
	return s32 == known.s32;
}

} // namespace

std::uint64_t test_engines(board &on)
{
	static const problem known;
	std::uint64_t failed = 0;

	for (unsigned engine = 0; engine < on.running->manifest.engine_count; engine++) {
		if (!is_right(on, engine, known))
			failed |= std::uint64_t{ 1 } << engine;
	}
	return failed;
}

} // namespace oac::emu
