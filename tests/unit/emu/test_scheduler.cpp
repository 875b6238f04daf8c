// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Sharing the card: measured shares of clients, priorities and weights. Work is counted, not time.
#include <numeric>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr unsigned DEPTH_LOG2 = 8, DEPTH = 1u << DEPTH_LOG2;
constexpr double NOP_UNITS = 256, COPY_UNITS = 1 << 20; /* what they cost in step_budget */

class scheduler_test : public bench
{
protected:
	scheduler_test() { start(); }

	void create_context(std::uint32_t id, std::uint32_t group)
	{
		oac_admin_cmd cmd = command(OAC_ADMIN_CONTEXT_CREATE, id);
		cmd.arg.context_create.group = group;
		ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		ASSERT_EQ(map(id, fake_host::BASE, { { fake_host::BASE, fake_host::SIZE } },
			      OAC_MAP_READ | OAC_MAP_WRITE),
			  OAC_ST_SUCCESS);
	}

	/* A queue that never runs dry: its ring is full of the same command. */
	std::size_t add(std::uint32_t context, std::uint8_t priority = OAC_PRIORITY_NORMAL,
			std::uint16_t weight = 0, oac_cmd what = make_cmd(OAC_CMD_NOP))
	{
		const auto id = static_cast<std::uint16_t>(queues_.size() + 1);
		oac_admin_cmd cmd = queue_command(id, context, DEPTH_LOG2);
		oac_admin_queue_create &arg = cmd.arg.queue_create;

		arg.priority = priority;
		arg.weight = weight;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		for (unsigned i = 0; i < DEPTH; i++)
			array<oac_cmd>(arg.sq_va)[i] = what;
		queues_.push_back({ id, DEPTH, arg.sq_va, arg.cq_va, arg.tail_va, 0 });
		return queues_.size() - 1;
	}

	std::uint32_t done(std::size_t which)
	{
		return host<oac_cq_tail>(queues_[which].tail).tail;
	}

	void run_full(unsigned steps)
	{
		while (steps--) {
			for (std::size_t i = 0; i < queues_.size(); i++)
				ring(queues_[i].id, done(i) + DEPTH);
			ASSERT_TRUE(card_->step());
		}
	}

	oac_cmd copy_of_a_mib()
	{
		oac_cmd cmd = make_cmd(OAC_CMD_COPY);
		const std::uint64_t data = alloc(2 * MIB);
		cmd.body.copy = { data, data + MIB, MIB, 0, 0, 1, 0 };
		return cmd;
	}

	std::vector<user_queue> queues_;
};

/* found is share times whole, within a hundredth of it or so. */
void expect_share(double found, double whole, double share, double tolerance = 0.02)
{
	EXPECT_NEAR(found / whole, share, tolerance * share);
}

TEST_F(scheduler_test, MoreQueuesAreNotMoreOfTheCard)
{
	create_context(2, 70);
	create_context(3, 80);
	const std::size_t one = add(2);
	for (int i = 0; i < 8; i++)
		add(3);
	run_full(8000);
	double all = 0;
	for (std::size_t i = 0; i < queues_.size(); i++)
		all += done(i);
	expect_share(done(one), all, 0.5);
	for (std::size_t i = 1; i < queues_.size(); i++)
		expect_share(done(i), all, 0.5 / 8, 0.05);
}

TEST_F(scheduler_test, MoreContextsAreNotMoreOfTheCardEither)
{
	create_context(2, 70);
	create_context(3, 70);
	create_context(4, 70);
	create_context(5, 80);
	add(2), add(3), add(4);
	const std::size_t other = add(5);
	run_full(6000);
	expect_share(done(other), done(0) + done(1) + done(2) + done(other), 0.5);
}

TEST_F(scheduler_test, ContextsWithoutAGroupAreClientsOfTheirOwn)
{
	create_context(2, 0);
	add(1), add(1), add(1);
	const std::size_t other = add(2);
	/* group 1 is not the client that context 1 is */
	create_context(3, 1);
	const std::size_t third = add(3);
	run_full(6000);
	const double all = done(0) + done(1) + done(2) + done(other) + done(third);
	expect_share(done(other), all, 1.0 / 3);
	expect_share(done(third), all, 1.0 / 3);
}

TEST_F(scheduler_test, WeightsShareATurn)
{
	add(1, OAC_PRIORITY_NORMAL, 64);
	add(1, OAC_PRIORITY_NORMAL, 128);
	add(1); /* normal */
	run_full(6000);
	expect_share(done(1), done(0), 2);
	expect_share(done(2), done(0), 1);
}

TEST_F(scheduler_test, SmallestAndLargestWeight)
{
	add(1, OAC_PRIORITY_NORMAL, 1);
	add(1, OAC_PRIORITY_NORMAL, OAC_WEIGHT_MAX);
	run_full(20 * 1025);
	expect_share(done(1), done(0), OAC_WEIGHT_MAX, 0.05);
}

TEST_F(scheduler_test, PrioritiesAreOneToFourEachStep)
{
	for (std::uint8_t priority = 0; priority <= OAC_PRIORITY_MAX; priority++)
		add(1, priority);
	run_full(20 * 340);
	for (std::size_t i = 1; i < queues_.size(); i++)
		expect_share(done(i), done(i - 1), 4);
}

TEST_F(scheduler_test, PriorityCountsBetweenClientsToo)
{
	create_context(2, 70);
	create_context(3, 80);
	add(2, 1);
	add(3, 2);
	add(3, 2);
	run_full(6000);
	expect_share(done(1) + done(2), done(0), 4);
}

TEST_F(scheduler_test, BigCommandsAreNotMoreOfTheCard)
{
	create_context(2, 70);
	create_context(3, 80);
	add(2, 1, 0, copy_of_a_mib());
	add(3, 1);
	run_full(3000);
	expect_share(done(0) * COPY_UNITS, done(1) * NOP_UNITS, 1, 0.1);
	/* and within a client */
	const std::uint32_t before = done(1);
	add(3, 1, 0, copy_of_a_mib());
	run_full(3000);
	expect_share(done(2) * COPY_UNITS, (done(1) - before) * NOP_UNITS, 1, 0.1);
}

TEST_F(scheduler_test, AClientThatIsAloneHasTheCard)
{
	add(1, 0, 1, copy_of_a_mib());
	add(1, OAC_PRIORITY_MAX);
	ring(1, 64);
	for (int i = 0; i < 2 * 64; i++)
		card_->step();
	EXPECT_EQ(done(0), 64u) << "to begin and to do each, whatever its weight and priority";
}

TEST_F(scheduler_test, AdminCommandsWaitForATurnAtMost)
{
	constexpr unsigned turn = 512, batch = 128; /* commands that do nothing */
	create_context(2, 70);
	add(2);
	run_full(100);
	const std::uint32_t before = done(0);
	const unsigned told = host_.interrupts[OAC_MSIX_ADMIN_VECTOR];
	array<oac_admin_cmd>(admin_sq_)[admin_count_ % admin_depth_] =
		command(OAC_ADMIN_CONTEXT_CREATE, 3);
	ring(0, ++admin_count_);
	while (host_.interrupts[OAC_MSIX_ADMIN_VECTOR] == told && done(0) - before <= turn + batch)
		run_full(1);
	EXPECT_EQ(host_.interrupts[OAC_MSIX_ADMIN_VECTOR], told + 1);
	EXPECT_LE(done(0) - before, turn + batch);
}

TEST_F(scheduler_test, WhatIsNotUsedIsNotSaved)
{
	create_context(2, 70);
	create_context(3, 80);
	add(2), add(3);
	ring(1, DEPTH);
	settle();
	for (unsigned i = 0; i < 1000; i++) {
		ring(1, done(0) + DEPTH);
		card_->step();
	}
	const double before = done(0);
	run_full(64);
	expect_share(done(0) - before, done(1), 1, 0.6);
	run_full(4000);
	expect_share(done(0) - before, done(1), 1);
}

TEST_F(scheduler_test, QueuesComeAndGo)
{
	create_context(2, 70);
	add(1), add(1), add(2);
	run_full(100);
	oac_admin_cmd destroy = command(OAC_ADMIN_QUEUE_DESTROY);
	destroy.arg.queue_destroy.queue_id = 1;
	EXPECT_EQ(status_of(destroy), OAC_ST_SUCCESS);
	const std::uint32_t gone = done(0), before[] = { done(1), done(2) };
	run_full(2000);
	EXPECT_EQ(done(0), gone);
	expect_share(done(1) - before[0], done(2) - before[1], 1, 0.05);
}

} // namespace
} // namespace oac::emu::test
