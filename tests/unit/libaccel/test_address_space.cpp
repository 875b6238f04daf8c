// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// First fit, alignment, ends, reuse.
#include "address_space.hpp"

#include <gtest/gtest.h>

using accel::address_space;

namespace
{

constexpr std::uint64_t FIRST = 0x10000;
constexpr std::uint64_t PAGE = 0x1000;
constexpr std::uint64_t LARGE = 0x200000;

TEST(address_space, gives_the_lowest_range)
{
	address_space space(FIRST, 0x100000);
	EXPECT_EQ(space.take(PAGE, PAGE), FIRST);
	EXPECT_EQ(space.take(2 * PAGE, PAGE), FIRST + PAGE);
	EXPECT_EQ(space.take(PAGE, PAGE), FIRST + 3 * PAGE);
}

TEST(address_space, fills_a_gap_that_is_large_enough)
{
	address_space space(FIRST, 0x100000);
	const auto a = *space.take(2 * PAGE, PAGE);
	const auto b = *space.take(PAGE, PAGE);
	EXPECT_EQ(space.give(a), 2 * PAGE);
	EXPECT_EQ(space.take(3 * PAGE, PAGE), b + PAGE);
	EXPECT_EQ(space.take(PAGE, PAGE), a);
	EXPECT_EQ(space.take(PAGE, PAGE), a + PAGE);
}

TEST(address_space, aligns_and_uses_what_is_left_below)
{
	address_space space(FIRST, 1ull << 30);
	EXPECT_EQ(space.take(LARGE, LARGE), LARGE);
	EXPECT_EQ(space.take(LARGE, LARGE), 2 * LARGE);
	EXPECT_EQ(space.take(PAGE, PAGE), FIRST);
	EXPECT_EQ(space.take(PAGE, LARGE), 3 * LARGE);
	EXPECT_EQ(space.take(PAGE, PAGE), FIRST + PAGE);
}

TEST(address_space, alignment_skips_over_small_ranges)
{
	address_space space(PAGE, 1ull << 30);
	for (int i = 0; i < 600; i++)
		ASSERT_TRUE(space.take(PAGE, PAGE));
	EXPECT_EQ(space.take(PAGE, LARGE), 2 * LARGE);
	EXPECT_EQ(space.count(), 601u);
}

TEST(address_space, ends)
{
	address_space space(FIRST, FIRST + 4 * PAGE);
	EXPECT_FALSE(space.take(5 * PAGE, PAGE));
	EXPECT_FALSE(space.take(0, PAGE));
	EXPECT_FALSE(space.take(UINT64_MAX, PAGE));
	EXPECT_FALSE(space.take(PAGE, 1ull << 40));
	EXPECT_TRUE(space.take(4 * PAGE, PAGE));
	EXPECT_FALSE(space.take(PAGE, PAGE));
}

TEST(address_space, survives_the_end_of_64_bits)
{
	address_space space(UINT64_MAX - 3 * PAGE, UINT64_MAX);
	EXPECT_FALSE(space.take(PAGE, 1ull << 40));
	EXPECT_TRUE(space.take(PAGE, PAGE));
}

TEST(address_space, knows_only_starts)
{
	address_space space(FIRST, 0x100000);
	const auto a = *space.take(2 * PAGE, PAGE);
	EXPECT_EQ(space.size_at(a), 2 * PAGE);
	EXPECT_EQ(space.size_at(a + PAGE), 0u);
	EXPECT_EQ(space.give(a + PAGE), 0u);
	EXPECT_EQ(space.give(a), 2 * PAGE);
	EXPECT_EQ(space.give(a), 0u);
}

} // namespace
