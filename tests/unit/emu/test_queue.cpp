// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// User queues: order, phase, wrap-around, interrupts, sticky errors, doorbells, sharing, sleep.
#include <atomic>
#include <thread>

#include <sys/mman.h>

#include <model/queue.hpp>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

class queue_test : public bench
{
protected:
	queue_test() { start(); }

	/* A shared doorbell: the words as the card sees them, written past the card. */
	template <typename Word>
	Word &shared(unsigned id, std::uint64_t word)
	{
		if (!pages_) {
			const bar_memory bar = *card_->bar_backing(OAC_BAR_DOORBELL);
			pages_ = map_fd(bar.fd, bar.size);
		}
		return *reinterpret_cast<Word *>(pages_ + id * OAC_DB_PAGE_SIZE + word);
	}

	std::byte *pages_ = nullptr;

private:
	static std::byte *map_fd(int fd, std::uint64_t size)
	{
		void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		EXPECT_NE(at, MAP_FAILED);
		return static_cast<std::byte *>(at);
	}
};

TEST_F(queue_test, CommandsCompleteInOrderOverManyPasses)
{
	user_queue q = create_queue(1, 1, 3);
	std::uint32_t tag = 0;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 1 + round % 8; i++)
			push(q, make_cmd(i % 2 ? OAC_CMD_NOP : OAC_CMD_BARRIER, q.written));
		ring(q);
		settle();
		while (const auto done = reap(q)) {
			EXPECT_EQ(done->tag, tag++);
			EXPECT_EQ(done->status, OAC_ST_SUCCESS);
		}
		EXPECT_EQ(q.reaped, q.written);
	}
	EXPECT_EQ(progress(q).sq_head, q.written);
	EXPECT_EQ(progress(q).completed, q.written);
	EXPECT_EQ(progress(q).state, static_cast<unsigned>(OAC_QUEUE_RUNNING));
	EXPECT_EQ(counter(OAC_COUNTER_COMMANDS), q.written);
}

TEST_F(queue_test, SlowPathGivesTheSameBytes)
{
	user_queue q = create_queue(1, 1, 3);
	host_.set_windows(false);
	for (int i = 0; i < 30; i++) {
		const oac_completion done = run(q, make_cmd(OAC_CMD_NOP, 500));
		EXPECT_EQ(done.tag, 500u);
		EXPECT_EQ(done.status, OAC_ST_SUCCESS);
	}
	EXPECT_EQ(progress(q).completed, 30u);
}

TEST_F(queue_test, CountsAreFreeRunning32BitNumbers)
{
	/* a queue of its own, so that 2^32 is near */
	const std::uint32_t first = 0 - 20u;
	const oac_segment all = { fake_host::BASE, fake_host::SIZE };
	board loose({}, host_);
	loose.running = firmware{ {}, default_manifest() };
	context in(1, loose);
	ASSERT_EQ(in.map(fake_host::BASE, std::span(&all, 1), 3), OAC_ST_SUCCESS);
	const oac_admin_queue_create how = queue_command(3, 1, 3).arg.queue_create;
	queue under_test(loose, in, how, first);
	for (std::uint32_t i = 0; i < 60; i++) {
		const std::uint32_t count = first + i;
		array<oac_cmd>(how.sq_va)[count % 8] = make_cmd(OAC_CMD_NOP, i);
		loose.doorbells.store<std::uint32_t>(3 * OAC_DB_PAGE_SIZE, count + 1);
		ASSERT_TRUE(under_test.poll());
		under_test.run();
		ASSERT_FALSE(under_test.poll());
		ASSERT_EQ(host<oac_cq_tail>(how.tail_va).tail, count + 1);
		const oac_completion &done = array<oac_completion>(how.cq_va)[count % 8];
		ASSERT_EQ(done.tag, i);
		ASSERT_EQ(done.phase, (count / 8 + 1) % 2);
	}
	EXPECT_EQ(host<oac_progress>(how.progress_addr).completed, 40u);
	EXPECT_EQ(host<oac_progress>(how.progress_addr).state,
		  static_cast<unsigned>(OAC_QUEUE_RUNNING));
}

TEST_F(queue_test, FirstErrorIsStickyAndTheRestIsAborted)
{
	user_queue q = create_queue(1);
	push(q, make_cmd(OAC_CMD_NOP, 1));
	push(q, make_cmd(0x99, 2));
	push(q, make_cmd(OAC_CMD_NOP, 3));
	ring(q);
	settle();
	EXPECT_EQ(reap(q)->status, OAC_ST_SUCCESS);
	EXPECT_EQ(reap(q)->status, OAC_ST_BAD_OPCODE);
	EXPECT_EQ(reap(q)->status, OAC_ST_ABORTED);
	const oac_completion later = run(q, make_cmd(OAC_CMD_NOP, 4));
	EXPECT_EQ(later.tag, 4u);
	EXPECT_EQ(later.status, OAC_ST_ABORTED);
	EXPECT_EQ(progress(q).state, static_cast<unsigned>(OAC_QUEUE_ERROR));
	EXPECT_EQ(progress(q).status, static_cast<unsigned>(OAC_ST_BAD_OPCODE));
	EXPECT_EQ(progress(q).error_count, 3u);
	EXPECT_EQ(counter(OAC_COUNTER_COMMAND_ERRORS), 3u);
	const auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	EXPECT_EQ(events.back().code, OAC_EVENT_QUEUE_ERROR);
	EXPECT_EQ(events.back().arg, static_cast<unsigned>(OAC_ST_BAD_OPCODE));
	EXPECT_EQ(events.back().context, 1u);
	EXPECT_EQ(events.back().queue, 1u);
}

/* What a kernel counts good commands by: whoever sees the counts sees errors as old or newer. */
TEST_F(queue_test, ProgressCountsAreWrittenLastAndTogether)
{
	constexpr std::uint32_t good = 8, total = 200000;
	user_queue q = create_queue(1, 1, 10);
	for (unsigned i = 0; i < good; i++)
		EXPECT_EQ(run(q, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q, make_cmd(0x99)).status, OAC_ST_BAD_OPCODE);

	auto &line = host<oac_progress>(q.progress);
	static_assert(offsetof(oac_progress, sq_head) == 0 &&
		      offsetof(oac_progress, completed) == 4);
	std::atomic_ref counts(host<std::uint64_t>(q.progress));
	std::atomic_ref errors(line.error_count);
	std::uint64_t looks = 0, torn = 0, early = 0;
	std::thread reader([&] {
		for (std::uint32_t completed = 0; completed < total; looks++) {
			const std::uint64_t both = counts.load(std::memory_order_acquire);
			completed = static_cast<std::uint32_t>(both >> 32);
			torn += static_cast<std::uint32_t>(both) != completed;
			early += errors.load(std::memory_order_relaxed) < completed - good;
		}
	});
	/* one at a time: each is a batch, each changes the line */
	for (std::uint32_t tail = q.written + 1; tail <= total; tail++) {
		ring(1, tail);
		while (card_->step()) {}
	}
	reader.join();
	EXPECT_EQ(line.error_count, total - good);
	EXPECT_EQ(torn, 0u) << "of " << looks;
	EXPECT_EQ(early, 0u) << "of " << looks;
}

TEST_F(queue_test, PaddingAndTagAreChecked)
{
	const auto refused = [&](std::uint16_t id, auto change) {
		user_queue q = create_queue(id);
		oac_cmd cmd = make_cmd(OAC_CMD_NOP);
		change(cmd);
		EXPECT_EQ(run(q, cmd).status, OAC_ST_BAD_FIELD) << id;
	};
	refused(1, [](auto &c) { c.flags = 1; });
	refused(2, [](auto &c) { c.rsvd = 1; });
	refused(3, [](auto &c) { c.tag = OAC_TAG_NONE; });
	refused(4, [](auto &c) { c.body.bytes[55] = 1; });
	refused(5, [](auto &c) { c.body.bytes[0] = 1; });
	refused(6, [](auto &c) { c.opcode = OAC_CMD_SIGNAL, c.body.bytes[16] = 1; });
	refused(7, [](auto &c) { c.opcode = OAC_CMD_TIMESTAMP, c.body.bytes[8] = 1; });
}

TEST_F(queue_test, DoorbellOutOfRange)
{
	user_queue q = create_queue(1, 1, 2);
	EXPECT_EQ(run(q, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	ring(1, q.written + 5);
	settle();
	const auto done = reap(q);
	EXPECT_EQ(done->status, OAC_ST_DOORBELL);
	EXPECT_EQ(done->tag, OAC_TAG_NONE);
	EXPECT_FALSE(reap(q));
	EXPECT_EQ(progress(q).status, static_cast<unsigned>(OAC_ST_DOORBELL));
	EXPECT_EQ(progress(q).error_count, 0u) << "no command has failed";
	EXPECT_EQ(progress(q).sq_head, 1u);
	EXPECT_EQ(progress(q).completed, 2u);
	ring(1, q.written - 1);
	settle();
	EXPECT_FALSE(reap(q)) << "told once";
	/* a trapped store does not take a tail back, a shared one does */
	shared<std::uint32_t>(1, OAC_DB_SQ_TAIL) = q.written + 1;
	settle();
	const auto later = reap(q);
	ASSERT_TRUE(later);
	EXPECT_EQ(later->status, OAC_ST_ABORTED);
	EXPECT_EQ(progress(q).error_count, 1u);
	EXPECT_EQ(progress(q).sq_head, 2u);
	EXPECT_EQ(progress(q).completed, 3u);
	const auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	EXPECT_EQ(events.back().code, OAC_EVENT_DOORBELL);
	EXPECT_EQ(events.back().arg, 6u);
}

TEST_F(queue_test, InterruptIsArmedOnceAndOnlyWhenThereIsNews)
{
	user_queue q = create_queue(5);
	run(q, make_cmd(OAC_CMD_NOP));
	EXPECT_EQ(host_.interrupts[5], 0u) << "not armed";
	arm(5, 1, 1);
	settle();
	EXPECT_EQ(host_.interrupts[5], 0u) << "nothing new";
	run(q, make_cmd(OAC_CMD_NOP));
	run(q, make_cmd(OAC_CMD_NOP));
	EXPECT_EQ(host_.interrupts[5], 1u) << "one write, one interrupt";
	arm(5, 2, 2);
	EXPECT_EQ(host_.interrupts[5], 2u) << "there is news already";
	arm(5, 2, 2);
	EXPECT_EQ(host_.interrupts[5], 3u) << "a trapped write always arms";
	const std::uint64_t before = host_.interrupts[0] + host_.interrupts[5];
	EXPECT_EQ(counter(OAC_COUNTER_INTERRUPTS), before);
}

TEST_F(queue_test, SharedWordsArePolled)
{
	user_queue q = create_queue(5);
	push(q, make_cmd(OAC_CMD_NOP));
	shared<std::uint32_t>(5, OAC_DB_SQ_TAIL) = q.written;
	shared<std::uint64_t>(5, OAC_DB_ARM) = 1ull << 32;
	settle();
	EXPECT_TRUE(reap(q));
	EXPECT_EQ(host_.interrupts[5], 1u);
	settle();
	EXPECT_EQ(host_.interrupts[5], 1u) << "the same word is no new request";
	shared<std::uint64_t>(5, OAC_DB_ARM) = 2ull << 32 | 1;
	settle();
	EXPECT_EQ(host_.interrupts[5], 1u);
	shared<std::uint64_t>(5, OAC_DB_ARM) = 3ull << 32;
	settle();
	EXPECT_EQ(host_.interrupts[5], 2u);
}

TEST_F(queue_test, SleepIsAnnouncedAndRefusedWhenThereIsWork)
{
	user_queue q = create_queue(5);
	settle();
	EXPECT_TRUE(card_->fall_asleep());
	EXPECT_NE(shared<std::uint32_t>(5, OAC_DB_ASLEEP), 0u);
	EXPECT_NE(shared<std::uint32_t>(0, OAC_DB_ASLEEP), 0u);
	card_->wake();
	EXPECT_EQ(shared<std::uint32_t>(5, OAC_DB_ASLEEP), 0u);
	push(q, make_cmd(OAC_CMD_NOP));
	shared<std::uint32_t>(5, OAC_DB_SQ_TAIL) = q.written;
	EXPECT_FALSE(card_->fall_asleep());
	EXPECT_EQ(shared<std::uint32_t>(5, OAC_DB_ASLEEP), 0u);
	settle();
	EXPECT_TRUE(card_->fall_asleep());
	card_->wake();
	shared<std::uint64_t>(5, OAC_DB_ARM) = 9ull << 32 | 1;
	EXPECT_FALSE(card_->fall_asleep()) << "an ARM is work too";
	shared<std::uint32_t>(0, OAC_DB_SQ_TAIL)++;
	settle();
	EXPECT_TRUE(card_->fall_asleep());
}

TEST_F(queue_test, UnmappedCompletionRingEndsInTheProgressLine)
{
	oac_admin_cmd cmd = queue_command(1, 1, 4);
	user_queue q = { 1,
			 16,
			 cmd.arg.queue_create.sq_va,
			 0,
			 cmd.arg.queue_create.tail_va,
			 cmd.arg.queue_create.progress_addr };
	cmd.arg.queue_create.cq_va = 0x4000;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	arm(1, 1, 0);
	push(q, make_cmd(OAC_CMD_NOP));
	push(q, make_cmd(OAC_CMD_NOP));
	ring(q);
	settle();
	EXPECT_EQ(progress(q).state, static_cast<unsigned>(OAC_QUEUE_ERROR));
	EXPECT_EQ(progress(q).status, static_cast<unsigned>(OAC_ST_ACCESS_FAULT));
	EXPECT_EQ(progress(q).fault_addr, 0x4000u);
	EXPECT_EQ(progress(q).completed, 0u);
	EXPECT_EQ(host_.interrupts[1], 1u) << "a sleeper learns of it";
	EXPECT_EQ(counter(OAC_COUNTER_ACCESS_FAULTS), 1u);
}

TEST_F(queue_test, UnmappedSubmissionRingAndTail)
{
	oac_admin_cmd cmd = queue_command(1, 1, 4);
	user_queue q = { 1,
			 16,
			 0,
			 cmd.arg.queue_create.cq_va,
			 cmd.arg.queue_create.tail_va,
			 cmd.arg.queue_create.progress_addr };
	cmd.arg.queue_create.sq_va = 0x4000;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	ring(1, 3);
	settle();
	const auto done = reap(q);
	EXPECT_EQ(done->status, OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(done->info, 0x4000u);
	EXPECT_EQ(done->tag, OAC_TAG_NONE);

	cmd = queue_command(2, 1, 4);
	cmd.arg.queue_create.tail_va = 0x8000;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	ring(2, 1);
	settle();
	const auto &line = host<oac_progress>(cmd.arg.queue_create.progress_addr);
	EXPECT_EQ(line.state, static_cast<unsigned>(OAC_QUEUE_ERROR));
	EXPECT_EQ(line.fault_addr, 0x8000u);
}

TEST_F(queue_test, ReadOnlyCompletionRingIsARightsError)
{
	const std::uint64_t page = alloc(OAC_PAGE_SIZE);
	EXPECT_EQ(map(1, 0x10000, { { page, OAC_PAGE_SIZE } }, OAC_MAP_READ), OAC_ST_SUCCESS);
	oac_admin_cmd cmd = queue_command(1, 1, 4);
	cmd.arg.queue_create.cq_va = 0x10000;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	ring(1, 1);
	settle();
	EXPECT_EQ(host<oac_progress>(cmd.arg.queue_create.progress_addr).status,
		  static_cast<unsigned>(OAC_ST_ACCESS_RIGHTS));
}

TEST_F(queue_test, RingsMayBeInScatteredPages)
{
	/* depth 256: SQ of four pages, mapped in reverse order */
	const std::uint64_t pages = alloc(4 * OAC_PAGE_SIZE);
	std::vector<oac_segment> reversed;
	for (std::uint64_t i = 4; i > 0; i--)
		reversed.push_back({ pages + (i - 1) * OAC_PAGE_SIZE, OAC_PAGE_SIZE });
	EXPECT_EQ(map(1, 0x40000, reversed, OAC_MAP_READ), OAC_ST_SUCCESS);
	oac_admin_cmd cmd = queue_command(1, 1, 8);
	cmd.arg.queue_create.sq_va = 0x40000;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	user_queue q = { 1, 256, 0, cmd.arg.queue_create.cq_va, cmd.arg.queue_create.tail_va, 0 };
	for (std::uint32_t i = 0; i < 256; i++)
		array<oac_cmd>(reversed[i / 64].target)[i % 64] = make_cmd(OAC_CMD_NOP, i * 3);
	ring(1, 256);
	settle();
	for (std::uint32_t i = 0; i < 256; i++)
		ASSERT_EQ(reap(q)->tag, i * 3);
}

TEST_F(queue_test, DestroyedQueueIsForgotten)
{
	user_queue q = create_queue(1);
	oac_cmd wait = make_cmd(OAC_CMD_WAIT);
	wait.body.timeline = { alloc(8), 1 };
	push(q, wait);
	ring(q);
	settle();
	oac_admin_cmd destroy = command(OAC_ADMIN_QUEUE_DESTROY);
	destroy.arg.queue_destroy.queue_id = 1;
	EXPECT_EQ(status_of(destroy), OAC_ST_SUCCESS);
	ring(1, 7);
	arm(1, 3, 3);
	settle();
	EXPECT_FALSE(reap(q));
	user_queue again = create_queue(1);
	EXPECT_EQ(run(again, make_cmd(OAC_CMD_NOP, 9)).tag, 9u) << "counts start at 0";
}

TEST_F(queue_test, LongCopyDoesNotHoldOthers)
{
	user_queue slow = create_queue(1), quick = create_queue(2);
	oac_cmd copy = make_cmd(OAC_CMD_COPY);
	const std::uint64_t data = alloc(32 * MIB);
	copy.body.copy = { data, data + 16 * MIB, 16 * MIB, 0, 0, 1, 0 };
	push(slow, copy);
	ring(slow);
	for (int i = 0; i < 3; i++)
		card_->step();
	push(quick, make_cmd(OAC_CMD_NOP));
	ring(quick);
	for (int i = 0; i < 4; i++)
		card_->step();
	EXPECT_TRUE(reap(quick));
	EXPECT_FALSE(reap(slow));
	settle();
	EXPECT_TRUE(reap(slow));
}

TEST_F(queue_test, KeptWindowsEndWithTheirMaps)
{
	/* the same rings, then other memory behind the same device addresses */
	const std::uint64_t one = alloc(OAC_PAGE_SIZE), two = alloc(OAC_PAGE_SIZE);
	EXPECT_EQ(map(1, 0x40000, { { one, OAC_PAGE_SIZE } }, 3), OAC_ST_SUCCESS);
	oac_admin_cmd cmd = queue_command(1, 1, 2);
	oac_admin_queue_create &arg = cmd.arg.queue_create;
	arg.sq_va = 0x40000, arg.cq_va = 0x40400, arg.tail_va = 0x40800;
	ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	array<oac_cmd>(one)[0] = make_cmd(OAC_CMD_NOP, 1);
	array<oac_cmd>(two)[1] = make_cmd(OAC_CMD_NOP, 2);
	ring(1, 1);
	settle();
	EXPECT_EQ(host<oac_cq_tail>(one + 0x800).tail, 1u);
	EXPECT_EQ(unmap(1, 0x40000, OAC_PAGE_SIZE), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 0x40000, { { two, OAC_PAGE_SIZE } }, 3), OAC_ST_SUCCESS);
	ring(1, 2);
	settle();
	EXPECT_EQ(array<oac_completion>(two + 0x400)[1].tag, 2u);
	EXPECT_EQ(host<oac_cq_tail>(two + 0x800).tail, 2u);
	EXPECT_EQ(host<oac_cq_tail>(one + 0x800).tail, 1u) << "no longer the queue's";

	/* the shell takes its windows away and gives them back */
	host_.set_windows(false);
	array<oac_cmd>(two)[2] = make_cmd(OAC_CMD_NOP, 3);
	ring(1, 3);
	settle();
	EXPECT_GT(host_.slow_accesses, 3u);
	EXPECT_EQ(array<oac_completion>(two + 0x400)[2].tag, 3u);
	EXPECT_EQ(host<oac_progress>(arg.progress_addr).completed, 3u);
	host_.set_windows(true);
	EXPECT_EQ(unmap(1, 0x40000, OAC_PAGE_SIZE), OAC_ST_SUCCESS);
	ring(1, 4);
	settle();
	EXPECT_EQ(host<oac_progress>(arg.progress_addr).status,
		  static_cast<unsigned>(OAC_ST_ACCESS_FAULT));
}

TEST_F(queue_test, ResetEndsEverything)
{
	user_queue q = create_queue(1);
	card_->reset(reset_kind::bus);
	ring(1, 1);
	settle();
	EXPECT_FALSE(reap(q));
	boot();
	enable_admin();
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_BAD_CONTEXT);
}

} // namespace
} // namespace oac::emu::test
