// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Best fit, alignment, ends, reuse; random use against a model that keeps every page apart.
#include "address_space.hpp"

#include <algorithm>
#include <random>
#include <vector>

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

TEST(address_space, may_begin_at_zero)
{
	address_space space(0, 4 * PAGE);
	EXPECT_EQ(space.take(PAGE, PAGE), 0u);
	EXPECT_EQ(space.size_at(0), PAGE);
	EXPECT_EQ(space.used(), PAGE);
	EXPECT_EQ(space.give(0), PAGE);
	EXPECT_EQ(space.used(), 0u);
	EXPECT_EQ(space.take(4 * PAGE, PAGE), 0u);
}

TEST(address_space, nothing_fits_into_no_space)
{
	address_space space(PAGE, PAGE);
	EXPECT_FALSE(space.take(1, 1));
}

/* Which pages are taken: all that a naive allocator needs. */
class model
{
public:
	explicit model(std::size_t pages) : is_taken_(pages) {}
	bool is_free(std::size_t first, std::size_t count) const
	{
		return first + count <= is_taken_.size() &&
		       std::none_of(is_taken_.begin() + static_cast<long>(first),
				    is_taken_.begin() + static_cast<long>(first + count),
				    [](bool taken) { return taken; });
	}
	void set(std::size_t first, std::size_t count, bool taken)
	{
		std::fill_n(is_taken_.begin() + static_cast<long>(first), count, taken);
	}
	/* Where best fit must put it: looks at every hole. */
	std::optional<std::size_t> place(std::size_t count, std::size_t alignment) const
	{
		std::optional<std::size_t> best;
		std::size_t best_size = SIZE_MAX;
		for (std::size_t at = 0; at < is_taken_.size();) {
			std::size_t end = at;
			while (end < is_taken_.size() && !is_taken_[end])
				end++;
			const std::size_t fit = (at + alignment - 1) / alignment * alignment;
			if (fit + count <= end && end - at < best_size) {
				best = fit;
				best_size = end - at;
			}
			at = std::max(end, at + 1);
		}
		return best;
	}

private:
	std::vector<bool> is_taken_;
};

TEST(address_space, agrees_with_a_naive_model)
{
	constexpr std::size_t PAGES = 512;
	std::mt19937 random(20);
	address_space space(0, PAGES * PAGE);
	model pages(PAGES);
	std::vector<std::pair<std::uint64_t, std::size_t>> held;
	std::size_t refused = 0, used = 0;

	for (unsigned step = 0; step < 20000; step++) {
		if (!held.empty() && random() % 100 < 48) {
			const std::size_t which = random() % held.size();
			const auto [start, count] = held[which];
			ASSERT_EQ(space.give(start), count * PAGE);
			pages.set(start / PAGE, count, false);
			held[which] = held.back();
			held.pop_back();
			used -= count;
			continue;
		}
		const std::size_t count = 1 + random() % (random() % 8 ? 8 : 60);
		const std::size_t alignment = std::size_t{ 1 } << random() % 5;
		const auto got = space.take(count * PAGE, alignment * PAGE);
		const auto expected = pages.place(count, alignment);
		ASSERT_EQ(got.has_value(), expected.has_value()) << "step " << step;
		if (!got) {
			refused++;
			continue;
		}
		ASSERT_EQ(*got % (alignment * PAGE), 0u);
		ASSERT_TRUE(pages.is_free(*got / PAGE, count)) << "step " << step;
		/* With alignment it may prefer a hole that surely fits to a search. */
		if (alignment == 1) {
			ASSERT_EQ(*got, *expected * PAGE);
		}
		pages.set(*got / PAGE, count, true);
		held.emplace_back(*got, count);
		used += count;
		ASSERT_EQ(space.used(), used * PAGE);
		ASSERT_EQ(space.count(), held.size());
	}
	EXPECT_GT(refused, 0u);		/* it was full at times */
	for (const auto &[start, count] : held)
		EXPECT_EQ(space.give(start), count * PAGE);
	EXPECT_EQ(space.take(PAGES * PAGE, PAGE), 0u);
}

/*
 * Cost by count, not by a clock: with a search that grows with the number of ranges, 200,000 of them
 * would be 2 * 10^10 steps, which no test has time for.
 */
TEST(address_space, many_ranges_with_holes_in_between)
{
	constexpr std::size_t COUNT = 200'000;
	address_space space(FIRST, std::uint64_t{ 1 } << 48);
	std::vector<std::uint64_t> starts;

	starts.reserve(COUNT);
	for (std::size_t i = 0; i < COUNT; i++)
		starts.push_back(*space.take(PAGE, PAGE));
	for (std::size_t i = 0; i < COUNT; i += 2)
		ASSERT_EQ(space.give(starts[i]), PAGE);
	/* None of the holes is large or aligned enough. */
	for (std::size_t i = 0; i < COUNT; i++)
		ASSERT_TRUE(space.take(2 * PAGE, 2 * PAGE));
	for (std::size_t i = 0; i < COUNT; i += 2)
		ASSERT_EQ(space.take(PAGE, PAGE), starts[i]);
}

} // namespace
