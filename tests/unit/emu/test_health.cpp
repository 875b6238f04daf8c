// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's side of health and recovery, with nothing wrong: queues aborted in the middle, lines
// that show work, events that are told, what firmware says, what outlives a reset.
#include <algorithm>
#include <cstring>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

class health_test : public fault_bench
{
protected:
	health_test() { start(); }

	/* Takes many steps: rows of a megabyte over each other. */
	oac_cmd long_copy(std::uint32_t rows)
	{
		oac_cmd cmd = make_cmd(OAC_CMD_COPY);
		cmd.body.copy.src = alloc(MIB);
		cmd.body.copy.dst = alloc(MIB);
		cmd.body.copy.row_bytes = MIB;
		cmd.body.copy.rows = rows;
		return cmd;
	}
	std::vector<std::string> lines()
	{
		std::vector<std::string> all;
		for (const oac_fw_line &line : get_log<oac_fw_line>(OAC_LOG_FIRMWARE))
			all.emplace_back(reinterpret_cast<const char *>(line.text));
		return all;
	}
};

TEST_F(health_test, StepsMoveWhileACommandIsWorkedOn)
{
	user_queue q = create_queue(1);
	push(q, long_copy(8));
	ring(q);
	std::uint32_t before = progress(q).steps;
	unsigned moved = 0;
	for (int i = 0; i < 6; i++) {
		EXPECT_TRUE(card_->step());
		moved += progress(q).steps != before;
		before = progress(q).steps;
		EXPECT_EQ(progress(q).sq_head, 1u);
		EXPECT_EQ(progress(q).completed, 0u);
	}
	EXPECT_GE(moved, 5u);
	settle();
	EXPECT_EQ(progress(q).completed, 1u);
}

TEST_F(health_test, AQueueOutOfItsTurnShowsStepsToo)
{
	user_queue low = create_queue(1, 1, 4, 0), high = create_queue(2, 1, 4, OAC_PRIORITY_MAX);
	push(low, long_copy(64));
	ring(low);
	while (progress(low).sq_head == 0)
		ASSERT_TRUE(card_->step());
	push(high, long_copy(2000));
	ring(high);
	/* a turn of the other one is much longer than what is allowed between two moves */
	unsigned still = 0, longest = 0;
	std::uint32_t last = progress(low).steps;
	for (int i = 0; i < 200; i++) {
		host_.now += OAC_STEPS_NS / 2 + 1;
		card_->tick();
		ASSERT_TRUE(card_->step());
		still = progress(low).steps == last ? still + 1 : 0;
		longest = std::max(longest, still);
		last = progress(low).steps;
	}
	EXPECT_LE(longest, 1u);
}

TEST_F(health_test, AbortInTheMiddle)
{
	user_queue q = create_queue(1);
	push(q, long_copy(100));
	push(q, make_cmd(OAC_CMD_NOP));
	ring(q);
	for (int i = 0; i < 3; i++)
		card_->step();
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_SUCCESS);
	settle();
	EXPECT_EQ(reap(q).value().status, OAC_ST_ABORTED);
	EXPECT_EQ(reap(q).value().status, OAC_ST_ABORTED);
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_SUCCESS) << "in error: no effect";
	EXPECT_EQ(progress(q).completed, 2u);
}

TEST_F(health_test, AbortOfAWaitAndOfNothing)
{
	user_queue q = create_queue(1);
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_SUCCESS);
	EXPECT_EQ(run(q, copy_command()).status, OAC_ST_SUCCESS) << "nothing to do: no effect";
	oac_cmd wait = make_cmd(OAC_CMD_WAIT);
	wait.body.timeline.va = alloc(8);
	wait.body.timeline.value = 1;
	send(q, wait);
	EXPECT_EQ(progress(q).waiting, 1u);
	arm(1, 1, 1);
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_SUCCESS);
	EXPECT_EQ(progress(q).waiting, 0u);
	EXPECT_EQ(host_.interrupts[1], 1u) << "who waits for it is told";
	EXPECT_EQ(reap(q).value().status, OAC_ST_ABORTED);
	EXPECT_EQ(status_of(abort_command(9)), OAC_ST_BAD_QUEUE);
	oac_admin_cmd bad = abort_command(1);
	bad.arg.queue_abort.rsvd[2] = 1;
	EXPECT_EQ(status_of(bad), OAC_ST_BAD_FIELD);
}

TEST_F(health_test, EventsAreToldOncePerLook)
{
	const std::uint32_t seen = reg(OAC_REG_EVENT_SEQ);
	unsigned interrupts = host_.interrupts[0];
	inject(R"("fault": "ecc_corrected", "times": 5)");
	EXPECT_EQ(host_.interrupts[0], interrupts + 1);
	EXPECT_EQ(reg(OAC_REG_EVENT_SEQ), seen + 5);
	inject(R"("fault": "ecc_corrected")");
	EXPECT_EQ(host_.interrupts[0], interrupts + 2);
	reg(OAC_REG_EVENT_SEQ);
	EXPECT_EQ(get_log<oac_event>(OAC_LOG_EVENTS, seen + 1).size(), 6u);
	set_reg(OAC_REG_ADMIN_CONTROL, 0);
	interrupts = host_.interrupts[0];
	inject(R"("fault": "ecc_corrected")");
	EXPECT_EQ(host_.interrupts[0], interrupts) << "nobody listens";
}

TEST_F(health_test, FirmwareSaysWhatItDoesAndKeepsItOverResets)
{
	user_queue q = create_queue(1);
	EXPECT_EQ(run(q, make_cmd(0xee)).status, OAC_ST_BAD_OPCODE);
	EXPECT_EQ(admin(command(OAC_ADMIN_SELF_TEST)).info, 0u);
	inject(R"("fault": "crash", "code": 255)");
	soft_reset();
	start();
	const auto all = lines();
	const auto has = [&](const std::string &part) {
		return std::any_of(all.begin(), all.end(), [&](const std::string &line) {
			return line.find(part) != line.npos;
		});
	};
	for (const char *part :
	     { "boot: ", "context 1: made", "queue 1: command failed: status 0x1",
	       "self-test: wrong engines 0", "panic: code 0xff", "rom: reset" })
		EXPECT_TRUE(has(part)) << part;
	const auto numbered = get_log<oac_fw_line>(OAC_LOG_FIRMWARE, 3);
	EXPECT_EQ(numbered.front().seq, 3u);
	for (int i = 0; i < 300; i++)
		card_->reset(reset_kind::bus);
	start();
	EXPECT_GT(get_log<oac_fw_line>(OAC_LOG_FIRMWARE).front().seq, 40u) << "the oldest go";
	EXPECT_EQ(counter(OAC_COUNTER_CRASHES), 1u);
}

TEST_F(health_test, EveryResetKeepsCountersAndEvents)
{
	inject(R"("fault": "ecc_lost", "address": 0)");
	for (const reset_kind kind : { reset_kind::soft, reset_kind::flr, reset_kind::bus }) {
		card_->reset(kind);
		start();
		EXPECT_EQ(counter(OAC_COUNTER_LMEM_ECC_LOST), 1u);
		const auto codes = event_codes();
		EXPECT_NE(std::find(codes.begin(), codes.end(), OAC_EVENT_ECC_LOST), codes.end());
	}
	card_->reset(reset_kind::power);
	start();
	EXPECT_EQ(counter(OAC_COUNTER_LMEM_ECC_LOST), 0u);
}

} // namespace
} // namespace oac::emu::test
