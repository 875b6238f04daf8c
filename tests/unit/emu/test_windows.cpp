// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Host memory that goes away behind windows which a queue keeps on its rings, tail and progress line:
// between steps, and while a message of the card is on its way. The card faults or asks for a new
// window; a touch of the old one ends this program.
#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint64_t PAGE = OAC_PAGE_SIZE;
/* Bus address and device address alike: a page for each part of a queue, and one without window. */
constexpr std::uint64_t SQ = 0x9000000000, CQ = SQ + PAGE, TAIL = CQ + PAGE, PROGRESS = TAIL + PAGE;
constexpr std::uint64_t FAR = PROGRESS + PAGE;

class window_test : public bench
{
protected:
	window_test()
	{
		start();
		for (const std::uint64_t part : { SQ, CQ, TAIL, PROGRESS })
			host_.plug(part, PAGE);
		host_.plug(FAR, PAGE, false);
		EXPECT_EQ(map(1, SQ, { { SQ, FAR + PAGE - SQ } }, OAC_MAP_READ | OAC_MAP_WRITE),
			  OAC_ST_SUCCESS);
		oac_admin_cmd cmd = queue_command(1, 1, 4);
		oac_admin_queue_create &arg = cmd.arg.queue_create;
		arg.sq_va = SQ, arg.cq_va = CQ, arg.tail_va = TAIL, arg.progress_addr = PROGRESS;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		for (unsigned i = 0; i < 2; i++)
			EXPECT_EQ(run(q_, make_cmd(OAC_CMD_NOP, 1 + i)).status, OAC_ST_SUCCESS);
		EXPECT_EQ(progress(q_).completed, 2u);
		host_.slow_accesses = 0;
		EXPECT_EQ(run(q_, make_cmd(OAC_CMD_NOP, 3)).status, OAC_ST_SUCCESS);
		EXPECT_EQ(host_.slow_accesses, 0u) << "no window to keep: nothing is tested";
		arm(1, 1, 3);
	}

	/* A copy that needs a message, during which happens what is given. */
	void copy_while(std::function<void()> meanwhile)
	{
		oac_cmd copy = make_cmd(OAC_CMD_COPY, 4);
		copy.body.copy = { FAR, alloc(PAGE), 64, 0, 0, 1, 0 };
		push(q_, copy);
		push(q_, make_cmd(OAC_CMD_NOP, 5));
		unsigned messages = 0;
		host_.on_message = [&] {
			if (messages++ == 0)
				meanwhile();
		};
		ring(q_);
		settle();
		host_.on_message = nullptr;
		EXPECT_GT(messages, 0u);
	}

	void nop()
	{
		push(q_, make_cmd(OAC_CMD_NOP, 4));
		ring(q_);
		settle();
	}

	void expect_dead()
	{
		EXPECT_EQ(progress(q_).state, std::uint32_t{ OAC_QUEUE_ERROR });
		EXPECT_EQ(progress(q_).status, std::uint32_t{ OAC_ST_DMA_ERROR });
		EXPECT_EQ(progress(q_).error_count, 0u) << "no command has failed";
		EXPECT_EQ(host_.interrupts[1], 1u) << "a sleeper learns of it";
	}

	/* Other memory at the same bus address. */
	void exchange(std::uint64_t part)
	{
		host_.unplug(part);
		host_.plug(part, PAGE);
	}

	user_queue q_{ 1, 16, SQ, CQ, TAIL, PROGRESS };
};

TEST_F(window_test, SubmissionRingIsTakenAway)
{
	push(q_, make_cmd(OAC_CMD_NOP, 4));
	host_.unplug(SQ);
	ring(q_);
	settle();
	const auto last = reap(q_);
	ASSERT_TRUE(last);
	EXPECT_EQ(last->tag, OAC_TAG_NONE);
	EXPECT_EQ(last->status, OAC_ST_DMA_ERROR);
	expect_dead();
	EXPECT_EQ(progress(q_).sq_head, 3u);
	EXPECT_EQ(progress(q_).completed, 4u);
}

TEST_F(window_test, CompletionRingIsTakenAway)
{
	host_.unplug(CQ);
	nop();
	expect_dead();
	EXPECT_EQ(host<oac_cq_tail>(TAIL).tail, 3u);
}

TEST_F(window_test, PublishedTailIsTakenAway)
{
	host_.unplug(TAIL);
	nop();
	expect_dead();
	EXPECT_EQ(array<oac_completion>(CQ)[3].tag, 4u);
}

TEST_F(window_test, ProgressLineIsTakenAway)
{
	host_.unplug(PROGRESS);
	nop();
	EXPECT_EQ(reap(q_)->tag, 4u) << "done before the line was to be written";
	EXPECT_EQ(host_.interrupts[1], 1u);
	nop();
	EXPECT_FALSE(reap(q_)) << "a queue that cannot be watched goes on";
}

TEST_F(window_test, SubmissionRingIsTakenAwayDuringAMessage)
{
	copy_while([&] { host_.unplug(SQ); });
	EXPECT_EQ(reap(q_)->tag, 4u);
	EXPECT_EQ(reap(q_)->tag, OAC_TAG_NONE);
	expect_dead();
}

TEST_F(window_test, CompletionRingIsTakenAwayDuringAMessage)
{
	copy_while([&] { host_.unplug(CQ); });
	expect_dead();
	EXPECT_EQ(host<oac_cq_tail>(TAIL).tail, 3u);
}

TEST_F(window_test, TailIsTakenAwayDuringAMessage)
{
	copy_while([&] { host_.unplug(TAIL); });
	expect_dead();
	EXPECT_EQ(array<oac_completion>(CQ)[3].tag, 4u);
}

TEST_F(window_test, ProgressLineIsTakenAwayDuringAMessage)
{
	copy_while([&] { host_.unplug(PROGRESS); });
	EXPECT_EQ(reap(q_)->tag, 4u);
	EXPECT_EQ(host_.interrupts[1], 1u);
}

TEST_F(window_test, EverythingIsTakenAwayDuringAMessage)
{
	copy_while([&] {
		for (const std::uint64_t part : { SQ, CQ, TAIL, PROGRESS, FAR })
			host_.unplug(part);
	});
	EXPECT_EQ(host_.interrupts[1], 1u);
	user_queue other = create_queue(2);
	EXPECT_EQ(run(other, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS) << "the card lives on";
}

TEST_F(window_test, OtherMemoryInTheirPlaceIsUsed)
{
	copy_while([&] {
		for (const std::uint64_t part : { SQ, CQ, TAIL, PROGRESS })
			exchange(part);
		array<oac_cmd>(SQ)[4] = make_cmd(OAC_CMD_NOP, 55);
	});
	EXPECT_EQ(reap(q_)->tag, 4u);
	EXPECT_EQ(reap(q_)->tag, 55u) << "from the ring that is there now";
	EXPECT_EQ(progress(q_).completed, 5u);
	EXPECT_EQ(progress(q_).state, std::uint32_t{ OAC_QUEUE_RUNNING });
	host_.slow_accesses = 0;
	EXPECT_EQ(run(q_, make_cmd(OAC_CMD_NOP, 6)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(host_.slow_accesses, 0u) << "by new windows";
}

} // namespace
} // namespace oac::emu::test
