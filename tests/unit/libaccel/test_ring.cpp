// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The data path against a card driven by hand in the same memory: full and empty rings, many passes
// around them, counts that wrap at 2^32, a sleeping card, and a card that lies.
#include "ring.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

using accel::ring;
using accel::ring_layout;

namespace
{

constexpr std::uint32_t DEPTH = 8;
constexpr std::uint64_t VA = 0x10000;

/* The card's side of the rings; takes what the doorbell shows. */
class hand_card
{
public:
	explicit hand_card(std::uint32_t depth = DEPTH)
		: depth_(depth), layout_(depth), memory_(layout_.size() / sizeof(line)), page_(64)
	{
	}
	std::byte *memory() { return memory_[0].bytes; }
	std::byte *page() { return page_[0].bytes; }
	template <typename Word>
	Word doorbell(unsigned offset)
	{
		Word word;
		std::memcpy(&word, page() + offset, sizeof(word));
		return word;
	}
	void set_asleep(std::uint32_t value)
	{
		std::memcpy(page() + OAC_DB_ASLEEP, &value, sizeof(value));
	}
	/* Takes up to max commands, completes them with the tags they carry, publishes once. */
	std::vector<oac_cmd> work(std::uint32_t max = UINT32_MAX)
	{
		std::vector<oac_cmd> taken;
		while (done_ != doorbell<std::uint32_t>(OAC_DB_SQ_TAIL) && taken.size() < max) {
			auto *sq = reinterpret_cast<oac_cmd *>(memory());
			taken.push_back(sq[done_ & (depth_ - 1)]);
			complete(taken.back().tag, OAC_ST_SUCCESS);
		}
		publish(done_);
		return taken;
	}
	void complete(std::uint32_t tag, std::uint16_t status)
	{
		auto *cq = reinterpret_cast<oac_completion *>(memory() + layout_.cq());
		cq[done_++ & (depth_ - 1)] = { tag * 10ull, tag, status, 0 };
	}
	void publish(std::uint32_t tail)
	{
		reinterpret_cast<oac_cq_tail *>(memory() + layout_.tail())->tail = tail;
	}
	std::uint32_t done() const { return done_; }

private:
	struct alignas(64) line {
		std::byte bytes[64]{};
	};
	std::uint32_t depth_;
	ring_layout layout_;
	std::vector<line> memory_;
	std::vector<line> page_;
	std::uint32_t done_ = 0;
};

void push_nop(ring &host, std::uint32_t tag)
{
	host.entry(host.tail()).tag = tag;
	host.push(host.tail());
}

TEST(ring, layout_is_aligned_and_does_not_overlap)
{
	for (std::size_t depth = 2; depth <= 32768; depth *= 2) {
		const ring_layout layout(depth);
		EXPECT_EQ(layout.ops() % 64, 0u);
		EXPECT_EQ(layout.cq() % 64, 0u);
		EXPECT_EQ(layout.tail() % 64, 0u);
		EXPECT_EQ(layout.size() % OAC_PAGE_SIZE, 0u);
		EXPECT_GE(layout.ops(), depth * sizeof(oac_cmd));
		EXPECT_GE(layout.cq(), layout.ops() + depth * sizeof(oac_op));
		EXPECT_GE(layout.tail(), layout.cq() + depth * sizeof(oac_completion));
		EXPECT_GE(layout.size(), layout.tail() + sizeof(oac_cq_tail));
	}
}

TEST(ring, nothing_reaches_the_card_before_the_doorbell)
{
	hand_card card;
	ring host(card.memory(), VA, DEPTH, card.page(), true);
	push_nop(host, 1);
	push_nop(host, 2);
	EXPECT_TRUE(card.work().empty());
	EXPECT_NE(host.tail(), host.rung());
	EXPECT_FALSE(host.is_waiting());
	EXPECT_FALSE(host.ring_doorbell(host.tail()));
	EXPECT_EQ(host.tail(), host.rung());
	EXPECT_EQ(card.work().size(), 2u);
	EXPECT_EQ(host.ready(), 2u);
	EXPECT_EQ(host.completion(host.head()).tag, 1u);
	EXPECT_EQ(host.completion(host.head() + 1).tag, 2u);
	EXPECT_EQ(host.completion(host.head() + 1).info, 20u);
}

TEST(ring, full_at_depth_and_free_after_release)
{
	hand_card card;
	ring host(card.memory(), VA, DEPTH, card.page(), true);
	for (std::uint32_t i = 0; i < DEPTH; i++) {
		EXPECT_FALSE(host.is_full(host.tail()));
		push_nop(host, i);
	}
	EXPECT_TRUE(host.is_full(host.tail()));
	EXPECT_EQ(host.outstanding(), DEPTH);
	host.ring_doorbell(host.tail());
	card.work();
	EXPECT_TRUE(host.is_full(host.tail()));
	host.release(host.head() + 1);
	EXPECT_FALSE(host.is_full(host.tail()));
	EXPECT_EQ(host.outstanding(), DEPTH - 1);
}

TEST(ring, many_passes_in_uneven_steps)
{
	for (std::uint32_t depth : { 2u, 8u, 64u }) {
		hand_card card(depth);
		ring host(card.memory(), VA, depth, card.page(), true);
		std::uint32_t sent = 0;
		std::uint32_t reaped = 0;
		for (std::uint32_t round = 0; round < 5000; round++) {
			for (std::uint32_t i = 0; i < round % 7 && !host.is_full(host.tail()); i++)
				push_nop(host, sent++);
			host.ring_doorbell(host.tail());
			card.work(round % 5);
			const std::uint32_t ready = host.ready();
			ASSERT_TRUE(host.is_credible(ready, host.head()));
			for (std::uint32_t i = 0; i < ready; i++)
				ASSERT_EQ(host.completion(host.head() + i).tag, reaped + i);
			host.release(host.head() + ready);
			reaped += ready;
			ASSERT_EQ(host.outstanding(), sent - reaped);
		}
		EXPECT_GT(reaped, depth * 50);
	}
}

TEST(ring, operator_slots_follow_entries)
{
	hand_card card;
	ring host(card.memory(), VA, DEPTH, card.page(), true);
	const ring_layout layout(DEPTH);
	for (std::uint32_t i = 0; i < 3 * DEPTH; i++) {
		host.next_op().header.op = static_cast<std::uint16_t>(i);
		const std::uint64_t va = host.next_op_va();
		EXPECT_EQ(va, VA + layout.ops() + i % DEPTH * sizeof(oac_op));
		const auto *op = reinterpret_cast<oac_op *>(card.memory() + (va - VA));
		EXPECT_EQ(op->header.op, i);
		push_nop(host, i);
		host.ring_doorbell(host.tail());
		card.work();
		host.release(host.head() + 1);
	}
}

TEST(ring, asleep_asks_for_a_trapped_store_only_where_shared)
{
	hand_card card;
	ring shared(card.memory(), VA, DEPTH, card.page(), true);
	ring mapped(card.memory(), VA, DEPTH, card.page(), false);
	EXPECT_FALSE(shared.ring_doorbell(shared.tail()));
	card.set_asleep(1);
	EXPECT_TRUE(shared.ring_doorbell(shared.tail()));
	EXPECT_TRUE(shared.ring_arm(1));
	EXPECT_FALSE(mapped.ring_doorbell(mapped.tail()));
	EXPECT_FALSE(mapped.ring_arm(1));
}

TEST(ring, arm_is_one_64_bit_word)
{
	hand_card card;
	ring host(card.memory(), VA, DEPTH, card.page(), true);
	host.ring_arm(0x0000000700000003);
	EXPECT_EQ(card.doorbell<std::uint64_t>(OAC_DB_ARM), 0x0000000700000003u);
	EXPECT_EQ(card.doorbell<std::uint32_t>(OAC_DB_SQ_TAIL), 0u);
}

TEST(ring, a_card_that_lies_is_not_believed)
{
	hand_card card;
	ring host(card.memory(), VA, DEPTH, card.page(), true);
	EXPECT_TRUE(host.is_credible(host.ready(), host.head()));
	card.publish(1);	/* nothing was handed over */
	EXPECT_FALSE(host.is_credible(host.ready(), host.head()));
	card.publish(UINT32_MAX);	/* backwards */
	EXPECT_FALSE(host.is_credible(host.ready(), host.head()));
	card.publish(0);
	push_nop(host, 1);
	push_nop(host, 2);
	card.publish(1);	/* written, not handed over */
	EXPECT_FALSE(host.is_credible(host.ready(), host.head()));
	host.ring_doorbell(host.tail());
	EXPECT_TRUE(host.is_credible(host.ready(), host.head()));
	card.publish(3);
	EXPECT_FALSE(host.is_credible(host.ready(), host.head()));
}

TEST(ring, counts_wrap)
{
	constexpr std::uint32_t START = UINT32_MAX - 20;
	hand_card card;
	/* As if 2^32 - 21 commands had gone by: the counts are all there is to it. */
	ring host(card.memory(), VA, DEPTH, card.page(), true, START);
	card.publish(START);
	EXPECT_EQ(host.ready(), 0u);
	for (std::uint32_t i = 0; i < 100; i++) {
		EXPECT_EQ(host.outstanding(), 0u);
		push_nop(host, i);
		host.ring_doorbell(host.tail());
		EXPECT_EQ(card.doorbell<std::uint32_t>(OAC_DB_SQ_TAIL), START + i + 1);
		card.publish(START + i + 1);
		ASSERT_EQ(host.ready(), 1u);
		ASSERT_TRUE(host.is_credible(1, host.head()));
		host.release(host.head() + 1);
	}
}

/* The card let go of the queue: what it never published is taken as if it had, and then all is even. */
TEST(ring, what_is_skipped_is_neither_ready_nor_outstanding)
{
	hand_card card;
	const std::uint32_t start = UINT32_MAX - 2;
	ring rings(card.memory(), VA, DEPTH, card.page(), false, start);
	for (std::uint32_t at = start; at != start + 5; at++) {
		rings.entry(at).tag = at * 3;
		rings.push(at);
		if (at == start + 2)
			rings.ring_doorbell(at + 1);
	}
	EXPECT_EQ(rings.outstanding(), 5u);
	EXPECT_EQ(rings.tag(start + 4), (start + 4) * 3);
	rings.skip(start + 2);
	EXPECT_EQ(rings.ready(), 0u);
	EXPECT_EQ(rings.outstanding(), 3u);
	rings.skip(start + 5);
	EXPECT_EQ(rings.ready(), 0u);
	EXPECT_EQ(rings.outstanding(), 0u);
	EXPECT_FALSE(rings.is_waiting()) << "also what was not rung for";
	EXPECT_FALSE(rings.is_full(rings.tail()));
}

} // namespace
