// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Wild commands through the API, on every backend: each gives a typed error on its own queue.
#include "fixture.hpp"

#include <algorithm>

namespace
{

class command_test : public isolation::isolation_test
{
protected:
	void SetUp() override
	{
		isolation_test::SetUp();
		if (HasFatalFailure())
			return;
		context_.emplace(device());
		memory_.emplace(device(), *context_, 16 * api::page);
		guard_.emplace(device(), *context_, api::page, accel::map_read);
		std::ranges::fill(guard_->buffer().bytes(), std::byte{ 0x77 });
	}

	void TearDown() override
	{
		if (guard_) {
			auto bytes = guard_->buffer().bytes();
			EXPECT_TRUE(std::ranges::all_of(bytes, [](auto b) {
				return b == std::byte{ 0x77 };
			}));
		}
		guard_.reset();
		memory_.reset();
		context_.reset();
		isolation_test::TearDown();
	}

	/// On a queue of its own: refused by the library, or failed by the card with a reason.
	template <class Write>
	void expect_refused(Write &&write)
	{
		accel::queue queue(*context_, 4);
		int written = write(queue);
		if (written != 0) {
			EXPECT_EQ(written, -EINVAL);
			return;
		}
		ASSERT_EQ(queue.submit(), 0);
		auto done = api::collect(queue, 1);
		ASSERT_EQ(done.size(), 1u);
		EXPECT_LT(done[0].result, 0);
		EXPECT_NE(done[0].code, 0u);
	}

	/// Sizes and addresses that break careless arithmetic.
	std::uint64_t wild()
	{
		static constexpr std::uint64_t edges[] = { 0,
							   1,
							   0x1000,
							   0x7fffffff,
							   0x80000000,
							   0xffffffff,
							   0x100000000,
							   0x7fffffffffff,
							   0x800000000000,
							   0xfffffffff000,
							   0x1000000000000,
							   0x7fffffffffffffff,
							   0x8000000000000000,
							   0xfffffffffffff000,
							   UINT64_MAX };
		std::uint64_t edge = edges[random_.next() % std::size(edges)];
		return edge + random_.next() % 3 * 8 - 8;
	}

	std::uint32_t wild32() { return static_cast<std::uint32_t>(wild()); }

	std::optional<accel::context> context_;
	std::optional<api::arena> memory_, guard_;
	api::numbers random_{ 3 };
};

TEST_F(command_test, sizes_past_the_map)
{
	const std::uint64_t here = memory_->address(), room = 16 * api::page;
	for (std::uint64_t size : { room + 1, room * 2 + 1, std::uint64_t{ 1 } << 32,
				    std::uint64_t{ 1 } << 48, UINT64_MAX - here + 1, UINT64_MAX }) {
		expect_refused([&](accel::queue &queue) {
			return queue.try_fill(here, size, std::uint8_t{ 1 }, 1);
		});
		expect_refused([&](accel::queue &queue) {
			return queue.try_copy(here, here + 1, size, 1);
		});
	}
}

TEST_F(command_test, pitches_that_wrap)
{
	const std::uint64_t here = memory_->address();
	for (std::uint64_t pitch : { std::uint64_t{ 1 } << 47, std::uint64_t{ 1 } << 63,
				     UINT64_MAX / 2, UINT64_MAX - 4095 })
		expect_refused([&](accel::queue &queue) {
			return queue.try_copy_2d(here, pitch, here + 4096, 64, 64, 64, 1);
		});
	expect_refused([&](accel::queue &queue) {
		return queue.try_copy_2d(here, 1, here + 4096, 1, 1, UINT32_MAX, 1);
	});
}

TEST_F(command_test, wild_copies_and_fills)
{
	for (unsigned i = 0; i < scaled(500); i++) {
		// One wild operand at least is outside of every map.
		std::uint64_t to = wild() | std::uint64_t{ 1 } << 46, size = wild() | 1;
		expect_refused([&](accel::queue &queue) {
			return queue.try_copy(to, memory_->address(), size, 1);
		});
		expect_refused([&](accel::queue &queue) {
			return queue.try_fill(to, size, std::uint8_t{ 1 }, 1);
		});
		expect_refused([&](accel::queue &queue) {
			return queue.try_copy(memory_->address(), to, size, 1);
		});
		expect_refused([&](accel::queue &queue) { return queue.try_timestamp(to | 1, 1); });
	}
}

TEST_F(command_test, wild_gemms)
{
	const std::uint64_t here = memory_->address();
	for (unsigned i = 0; i < scaled(1000); i++) {
		accel::gemm op{};
		op.type = op.out_type = ACCEL_TYPE_F32;
		op.a = here;
		op.b = here + 4 * api::page;
		op.out = here + 8 * api::page;
		// 64 KiB of memory: a dimension this large reaches out of it.
		op.m = random_.next() % 64 + 1;
		op.n = random_.next() % 64 + 1;
		op.k = random_.next() % 64 + 1;
		(i % 3 == 0 ? op.m : i % 3 == 1 ? op.n : op.k) = std::max(0x8000u, wild32());
		expect_refused([&](accel::queue &queue) { return queue.try_exec(op, 1); });
	}
}

TEST_F(command_test, wild_convolutions_and_pools)
{
	const std::uint64_t here = memory_->address();
	auto half = [&] { return static_cast<std::uint16_t>(random_.next()); };
	for (unsigned i = 0; i < scaled(500); i++) {
		accel::conv2d conv{};
		conv.in = here;
		conv.weights = here + 4 * api::page;
		conv.out = here + 8 * api::page;
		conv.n = wild32();
		conv.h = wild32();
		conv.w = wild32();
		conv.ic = std::max(0x8000u, wild32());
		conv.oc = wild32();
		conv.kh = half();
		conv.kw = half();
		conv.stride_h = half();
		conv.stride_w = half();
		conv.pad_top = conv.pad_left = half();
		expect_refused([&](accel::queue &queue) { return queue.try_exec(conv, 1); });

		accel::max_pool pool{};
		pool.in = here;
		pool.out = here + 8 * api::page;
		pool.n = wild32();
		pool.h = wild32();
		pool.w = wild32();
		pool.c = std::max(0x8000u, wild32());
		pool.kh = half();
		pool.kw = half();
		pool.stride_h = half();
		pool.stride_w = half();
		expect_refused([&](accel::queue &queue) { return queue.try_exec(pool, 1); });
	}
}

TEST_F(command_test, wild_counts_of_elements)
{
	const std::uint64_t here = memory_->address();
	for (unsigned i = 0; i < scaled(500); i++) {
		std::uint64_t count = wild() | std::uint64_t{ 1 } << 40;
		expect_refused([&](accel::queue &queue) {
			return queue.try_relu(ACCEL_TYPE_F32, here, here, count, 1);
		});
		expect_refused([&](accel::queue &queue) {
			return queue.try_add(ACCEL_TYPE_S8, here, here, here, count, 1);
		});
		expect_refused([&](accel::queue &queue) {
			return queue.try_softmax(here, here + 4096, wild32() | 0x8000u,
						 wild32() | 0x8000u, 1);
		});
	}
}

TEST_F(command_test, a_queue_that_never_ends_starves_nobody)
{
	accel::timeline never(*context_);
	accel::queue stuck(*context_, 4), busy(*context_, 64);
	ASSERT_EQ(stuck.try_wait(never, 1, 1), 0);
	ASSERT_EQ(stuck.submit(), 0);
	for (std::uint32_t i = 0; i < 64; i++)
		ASSERT_EQ(busy.try_fill(memory_->address(), 16 * api::page, 1u, i), 0);
	ASSERT_EQ(busy.submit(), 0);
	EXPECT_EQ(neighbour_->check(), "");
	EXPECT_EQ(api::collect(busy, 64).size(), 64u);
}

TEST_F(command_test, memory_taken_away_under_a_copy)
{
	for (unsigned i = 0; i < scaled(100); i++) {
		accel::context own(device());
		accel::buffer buffer(device(), 256 * api::page);
		accel::mapping mapping(own, buffer);
		accel::queue queue(own, 8);
		for (std::uint32_t tag = 0; tag < 8; tag++)
			ASSERT_EQ(queue.try_copy(mapping.address(),
						 mapping.address() + 128 * api::page,
						 128 * api::page, tag),
				  0);
		ASSERT_EQ(queue.submit(), 0);
		ASSERT_EQ(mapping.unmap(), 0);
		ASSERT_EQ(buffer.close(), 0);
		for (const auto &done : api::collect(queue, 8)) {
			EXPECT_TRUE(done.result == 0 || done.result == -EFAULT ||
				    done.result == -ECANCELED)
				<< accel_code_text(done.code);
		}
	}
}

} // namespace
