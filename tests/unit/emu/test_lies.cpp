// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards that say what is not so: completions, tails, progress lines, admin answers and data; and a
// malicious card, whose lies are the same for the same seed.
#include <algorithm>
#include <cstring>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

class lie_test : public fault_bench
{
protected:
	lie_test()
	{
		start();
		q_ = create_queue(1);
	}

	/* Whatever the ring has at that place; no checks. */
	oac_completion at(std::uint32_t count)
	{
		return array<oac_completion>(q_.cq)[count & (q_.depth - 1)];
	}
	std::uint32_t tail() { return host<oac_cq_tail>(q_.tail).tail; }
	/* Commands with tags from 1 on, in one batch. */
	void send_copies(std::uint32_t count)
	{
		for (std::uint32_t i = 1; i <= count; i++)
			push(q_, copy_command(i));
		ring(q_);
		settle();
	}
	oac_identify identify()
	{
		oac_admin_cmd cmd = command(OAC_ADMIN_IDENTIFY);
		cmd.data_addr = alloc(sizeof(oac_identify));
		cmd.data_size = sizeof(oac_identify);
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		return host<oac_identify>(cmd.data_addr);
	}

	user_queue q_{};
};

TEST_F(lie_test, CorruptedCompletions)
{
	inject(R"("fault": "corrupt_completion", "value": 99)");
	inject(R"("fault": "corrupt_completion", "field": "tag", "value": 1234, "at": {"completion": 2})");
	inject(R"("fault": "corrupt_completion", "field": "info", "value": 4321, "at": {"completion": 3})");
	inject(R"("fault": "corrupt_completion", "field": "phase", "at": {"completion": 4})");
	send_copies(5);
	EXPECT_EQ(at(0).status, 99u);
	EXPECT_EQ(at(1).tag, 1234u);
	EXPECT_EQ(at(2).info, 4321u);
	EXPECT_EQ(at(3).phase, 0u);
	EXPECT_EQ(at(4).tag, 5u);
	EXPECT_EQ(at(4).status, OAC_ST_SUCCESS);
	EXPECT_EQ(tail(), 5u);
	EXPECT_EQ(fired("corrupt_completion"), 4u);
}

TEST_F(lie_test, LostDuplicatedReplayedReordered)
{
	inject(R"("fault": "lost_completion", "at": {"completion": 2})");
	inject(R"("fault": "duplicate_completion", "at": {"completion": 3})");
	send_copies(4);
	EXPECT_EQ(tail(), 4u);
	EXPECT_EQ(at(0).tag, 1u);
	EXPECT_EQ(at(1).tag, 3u);
	EXPECT_EQ(at(2).tag, 3u);
	EXPECT_EQ(at(3).tag, 4u);
	EXPECT_EQ(progress(q_).sq_head, 4u);
	inject(R"("fault": "replay_completion", "at": {"completion": 2})");
	inject(R"("fault": "reorder_completion", "at": {"completion": 3})");
	send_copies(4);
	EXPECT_EQ(tail(), 9u);
	EXPECT_EQ(at(4).tag, 1u);
	EXPECT_EQ(at(5).tag, 1u) << "again";
	EXPECT_EQ(at(6).tag, 2u);
	EXPECT_EQ(at(7).tag, 4u);
	EXPECT_EQ(at(8).tag, 3u);
	for (const char *fault : { "lost_completion", "duplicate_completion", "replay_completion",
				   "reorder_completion" })
		EXPECT_EQ(fired(fault), 1u) << fault;
}

TEST_F(lie_test, ACompletionWithNoneBehindItIsLate)
{
	inject(R"("fault": "reorder_completion")");
	send_copies(1);
	EXPECT_EQ(tail(), 0u);
	pass_ms(2);
	EXPECT_EQ(tail(), 1u);
	EXPECT_EQ(at(0).tag, 1u);
	EXPECT_EQ(at(0).phase, 1u);
	EXPECT_EQ(detail("reorder_completion"), "late");
}

TEST_F(lie_test, TailAndProgressLine)
{
	inject(R"("fault": "corrupt_tail", "value": 7)");
	inject(R"("fault": "corrupt_progress", "value": 77)");
	send_copies(1);
	EXPECT_EQ(tail(), 8u);
	EXPECT_EQ(progress(q_).completed, 77u);
	inject(R"("fault": "corrupt_progress", "field": "sq_head", "value": 88)");
	send_copies(1);
	EXPECT_EQ(progress(q_).sq_head, 88u);
	EXPECT_EQ(progress(q_).completed, 2u);
	EXPECT_EQ(tail(), 2u);
	inject(R"("fault": "corrupt_progress", "field": "state", "value": 9)");
	send_copies(1);
	EXPECT_EQ(progress(q_).state, 9u);
}

TEST_F(lie_test, AdminAnswers)
{
	inject(R"("fault": "lie", "field": "status", "value": 511)");
	EXPECT_EQ(try_admin(command(OAC_ADMIN_TIME_SYNC)).value().status, 511u);
	inject(R"("fault": "lie", "field": "cid", "value": 4095)");
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	inject(R"("fault": "lost_completion", "queue": 0)");
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	inject(R"("fault": "duplicate_completion", "queue": 0)");
	const std::uint32_t slot = (admin_count_ - 1) % admin_depth_;
	try_admin(command(OAC_ADMIN_TIME_SYNC));
	EXPECT_EQ(array<oac_completion>(admin_cq_)[slot].tag,
		  array<oac_completion>(admin_cq_)[slot + 1].tag);
	EXPECT_EQ(fired("lie"), 2u);
}

TEST_F(lie_test, IdentifyAndLogs)
{
	const oac_identify before = identify();
	inject(R"("fault": "lie", "value": 4000000000)");
	EXPECT_EQ(identify().engine_count, 4000000000u);
	inject(R"("fault": "lie", "field": "lmem_size", "value": 12345)");
	EXPECT_EQ(identify().lmem_size, 12345u);
	inject(R"("fault": "lie", "field": "model")");
	EXPECT_EQ(identify().model[31], 0xff);
	const oac_identify after = identify();
	EXPECT_EQ(std::memcmp(&after, &before, sizeof(after)), 0);
	oac_admin_cmd log = command(OAC_ADMIN_GET_LOG);
	log.data_addr = alloc(OAC_PAGE_SIZE);
	log.data_size = OAC_PAGE_SIZE;
	log.arg.get_log.page = OAC_LOG_SENSOR_INFO;
	inject(R"("fault": "lie", "field": "entry_count", "value": 100000)");
	EXPECT_EQ(admin(log).info, 100000u);
	inject(R"("fault": "lie", "field": "entry_id", "value": 60000)");
	EXPECT_EQ(admin(log).info, 7u);
	EXPECT_EQ(host<oac_sensor_info>(log.data_addr).id, 60000u);
	inject(R"("fault": "lie", "field": "entries", "seed": 9)");
	admin(log);
	EXPECT_NE(host<oac_sensor_info>(log.data_addr).id, OAC_SENSOR_ID_CHIP_TEMP);
	admin(log);
	EXPECT_EQ(host<oac_sensor_info>(log.data_addr).id, OAC_SENSOR_ID_CHIP_TEMP);
}

/* A card's lies, as far as its host sees them. */
TEST_F(lie_test, MaliciousCardIsRepeatable)
{
	const auto lies = [&](unsigned seed) {
		std::vector<std::byte> seen;
		fresh_card();
		host_.now = 1000000000;
		start();
		q_ = create_queue(1);
		inject(R"("fault": "malicious", "probability": 0.3, "seed": )" +
		       std::to_string(seed));
		for (int i = 0; i < 20; i++) {
			send_copies(10);
			const std::span<std::byte> ring(host_.at(q_.cq),
							q_.depth * sizeof(oac_completion));
			seen.insert(seen.end(), ring.begin(), ring.end());
		}
		EXPECT_GT(fired("malicious"), 50u);
		EXPECT_EQ(reg(OAC_REG_STATUS) == 0xffffffff, false);
		return seen;
	};

	EXPECT_EQ(lies(1), lies(1));
	EXPECT_NE(lies(1), lies(2));
}

} // namespace
} // namespace oac::emu::test
