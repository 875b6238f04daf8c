// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Commands that move data: copies, fills, barriers, timestamps, each compared with what the host
// computes.
#include "fixture.hpp"

#include <algorithm>

namespace
{

class command_test : public api::queue_test
{
protected:
	api::arena::piece<std::uint8_t> random_bytes(std::size_t size)
	{
		api::numbers random(7);
		auto piece = memory().take<std::uint8_t>(size);
		std::ranges::generate(piece.host,
				      [&] { return static_cast<std::uint8_t>(random.next()); });
		return piece;
	}
};

TEST_F(command_test, copies_of_all_sizes_and_alignments)
{
	auto from = random_bytes(100000), to = memory().take<std::uint8_t>(100000);
	for (std::size_t size : { 1, 2, 3, 7, 8, 63, 64, 65, 4095, 4096, 4097, 99000 })
		for (std::size_t shift : { 0, 1, 5, 64, 777 }) {
			std::ranges::fill(to.host, std::uint8_t{ 0 });
			EXPECT_DONE(api::run(queue(), [&](auto tag) {
				return queue().try_copy(to.address + shift + 1,
							from.address + shift, size, tag);
			}));
			EXPECT_TRUE(std::equal(&to.host[shift + 1], &to.host[shift + 1] + size,
					       &from.host[shift]));
			EXPECT_EQ(to.host[shift], 0);
			EXPECT_EQ(to.host[shift + 1 + size], 0);
		}
}

TEST_F(command_test, copies_of_nothing_are_done)
{
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_copy(64, 128, 0, tag); }));
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_copy_2d(64, 64, 64, 64, 64, 0, tag);
	}));
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_fill(64, 0, 1u, tag); }));
}

TEST_F(command_test, copy_2d_moves_a_window)
{
	constexpr std::size_t rows = 33, row = 50, from_pitch = 128, to_pitch = 61;
	auto from = random_bytes(rows * from_pitch);
	auto to = memory().take<std::uint8_t>(rows * to_pitch);

	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_copy_2d(to.address, to_pitch, from.address + 3, from_pitch, row,
					   rows, tag);
	}));
	for (std::size_t y = 0; y < rows; y++)
		for (std::size_t x = 0; x < to_pitch; x++) {
			int want = x < row ? from.host[3 + y * from_pitch + x] : 0;
			ASSERT_EQ(to.host[y * to_pitch + x], want) << y << ", " << x;
		}
}

TEST_F(command_test, large_copy_arrives_whole)
{
	constexpr std::size_t size = 1500000;
	auto from = random_bytes(size), to = memory().take<std::uint8_t>(size);
	EXPECT_DONE(api::run(queue(), [&](auto tag) {
		return queue().try_copy(to.address, from.address, size, tag);
	}));
	EXPECT_TRUE(std::ranges::equal(to.host, from.host));
}

template <class Pattern>
void expect_filled(accel::queue &queue, api::arena &memory, Pattern pattern)
{
	auto to = memory.take<Pattern>(1000);
	EXPECT_DONE(api::run(queue, [&](auto tag) {
		return queue.try_fill(to.address, 999 * sizeof(Pattern), pattern, tag);
	}));
	EXPECT_EQ(std::ranges::count(to.host, pattern), 999);
	EXPECT_EQ(to.host[999], Pattern{ 0 });
}

TEST_F(command_test, fills_with_patterns_of_each_size)
{
	expect_filled<std::uint8_t>(queue(), memory(), 0xa5);
	expect_filled<std::uint16_t>(queue(), memory(), 0xbeef);
	expect_filled<std::uint32_t>(queue(), memory(), 0xdeadbeef);
	expect_filled<std::uint64_t>(queue(), memory(), 0x0123456789abcdef);
}

TEST_F(command_test, misaligned_fill_is_a_typed_error)
{
	int result = queue().try_fill(memory().address() + 1, 8, 1u, 1);
	if (result == -EINVAL)
		return;	// the library may refuse it before the card does
	ASSERT_EQ(result, 0);
	ASSERT_EQ(queue().submit(), 0);
	accel::completion done = api::collect(queue(), 1).at(0);
	EXPECT_LT(done.result, 0);
	EXPECT_STREQ(accel_code_text(done.code), api::text_alignment);
}

TEST_F(command_test, barrier_orders_a_chain)
{
	constexpr std::size_t steps = 20;
	auto chain = memory().take<std::uint64_t>(steps + 1);

	ASSERT_EQ(queue().try_fill(chain.address, 8, 0xfeedull, 0), 0);
	for (std::uint32_t i = 0; i < steps; i++) {
		ASSERT_EQ(queue().try_barrier(2 * i + 1), 0);
		ASSERT_EQ(queue().try_copy(chain.address + 8 * (i + 1), chain.address + 8 * i, 8,
					   2 * i + 2),
			  0);
	}
	ASSERT_EQ(queue().submit(), 0);
	for (const auto &done : api::collect(queue(), 2 * steps + 1))
		EXPECT_DONE(done);
	EXPECT_EQ(chain.host[steps], 0xfeedu);
}

TEST_F(command_test, timestamps_go_forward)
{
	auto stamps = memory().take<std::uint64_t>(10);
	std::uint64_t last = 0;

	for (std::uint32_t i = 0; i < 10; i++) {
		accel::completion done = api::run(queue(), [&](auto tag) {
			return queue().try_timestamp(stamps.address + 8 * i, tag);
		});
		EXPECT_DONE(done);
		EXPECT_EQ(done.info, stamps.host[i]);
		EXPECT_GT(done.info, last);
		last = done.info;
	}
	accel::completion done =
		api::run(queue(), [&](auto tag) { return queue().try_timestamp(0, tag); });
	EXPECT_DONE(done);
	EXPECT_GT(done.info, last);
}

TEST_F(command_test, copy_over_the_end_of_a_map_faults_at_it)
{
	accel::buffer buffer(device(), api::page);
	accel::mapping mapping(context(), buffer);
	auto from = random_bytes(2 * api::page);
	accel::completion done = api::run(queue(), [&](auto tag) {
		return queue().try_copy(mapping.address() + 8, from.address, 2 * api::page, tag);
	});
	EXPECT_LT(done.result, 0);
	EXPECT_STREQ(accel_code_text(done.code), api::text_fault);
}

TEST_F(command_test, wild_addresses_are_typed_errors)
{
	auto here = memory().take<std::uint64_t>(1).address;
	for (std::uint64_t wild : { std::uint64_t{ 0 }, std::uint64_t{ 1 } << 47,
				    std::uint64_t{ 1 } << 48, UINT64_MAX - 7, UINT64_MAX }) {
		accel::queue one(context(), 4u), two(context(), 4u);
		auto reading =
			api::run(one, [&](auto tag) { return one.try_copy(here, wild, 64, tag); });
		EXPECT_LT(reading.result, 0) << std::hex << wild;
		auto writing = api::run(two, [&](auto tag) {
			return two.try_copy(wild, here, UINT64_MAX, tag);
		});
		EXPECT_LT(writing.result, 0) << std::hex << wild;
	}
}

} // namespace
