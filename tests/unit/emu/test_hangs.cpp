// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Faults after which the card, or part of it, does not answer: each holds as long as it says, is
// healed by what it says, and nothing less.
#include <algorithm>

#include <linux/pci_regs.h>
#include <unistd.h>

#include <model/config_space.hpp>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

class hang_test : public fault_bench
{
protected:
	hang_test() { start(); }

	/* A queue whose first command hangs. */
	user_queue hang(const std::string &until)
	{
		user_queue q = create_queue(1);
		inject(R"("fault": "hang_command", "queue": 1, "until": ")" + until + '"');
		send(q, copy_command());
		EXPECT_FALSE(reap(q));
		EXPECT_EQ(progress(q).sq_head, 1u);
		EXPECT_EQ(progress(q).completed, 0u);
		EXPECT_EQ(fired("hang_command"), 1u);
		return q;
	}
	bool does_work_after_boot()
	{
		boot();
		enable_admin();
		EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 1)), OAC_ST_SUCCESS);
		EXPECT_EQ(map(1, fake_host::BASE, { { fake_host::BASE, fake_host::SIZE } },
			      OAC_MAP_READ | OAC_MAP_WRITE),
			  OAC_ST_SUCCESS);
		user_queue q = create_queue(2);
		send(q, copy_command());
		const auto done = reap(q);
		return done && done->status == OAC_ST_SUCCESS;
	}
	void flr()
	{
		constexpr std::uint64_t at = config_space::EXPRESS + PCI_EXP_DEVCTL;
		const std::uint16_t value = PCI_EXP_DEVCTL_BCR_FLR;
		EXPECT_TRUE(card_->config_write(at, std::as_bytes(std::span(&value, 1))));
	}
};

TEST_F(hang_test, AbortFreesTheCommandAndFailsTheQueue)
{
	user_queue q = hang("abort");
	push(q, make_cmd(OAC_CMD_NOP, 5));
	ring(q);
	settle();
	EXPECT_FALSE(reap(q)) << "in order";
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_SUCCESS);
	settle();
	EXPECT_EQ(reap(q).value().status, OAC_ST_ABORTED);
	EXPECT_EQ(reap(q).value().status, OAC_ST_ABORTED);
	EXPECT_EQ(progress(q).state, std::uint32_t{ OAC_QUEUE_ERROR });
	EXPECT_EQ(progress(q).status, std::uint32_t{ OAC_ST_ABORTED });
	EXPECT_EQ(progress(q).error_count, 2u);
	EXPECT_EQ(healed("hang_command"), 1u);
	EXPECT_EQ(status_of(destroy_command(1)), OAC_ST_SUCCESS);
}

TEST_F(hang_test, OtherQueuesGoOn)
{
	hang("never");
	user_queue other = create_queue(2);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(run(other, copy_command()).status, OAC_ST_SUCCESS);
}

TEST_F(hang_test, OnlyTheQueueFreesIt)
{
	hang("queue");
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_BUSY);
	EXPECT_EQ(status_of(destroy_command(1)), OAC_ST_SUCCESS);
	EXPECT_EQ(healed("hang_command"), 1u);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_SUCCESS);
}

TEST_F(hang_test, OnlyTheContextFreesIt)
{
	hang("context");
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_BUSY);
	EXPECT_EQ(status_of(destroy_command(1)), OAC_ST_BUSY);
	create_queue(3);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_BUSY)
		<< "a queue that is well is in the way";
	EXPECT_EQ(status_of(destroy_command(3)), OAC_ST_SUCCESS);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_SUCCESS);
	EXPECT_EQ(healed("hang_command"), 1u);
	EXPECT_EQ(status_of(destroy_command(1)), OAC_ST_BAD_QUEUE);
}

TEST_F(hang_test, OnlyAResetFreesIt)
{
	hang("soft_reset");
	EXPECT_EQ(status_of(abort_command(1)), OAC_ST_BUSY);
	EXPECT_EQ(status_of(destroy_command(1)), OAC_ST_BUSY);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_BUSY);
	soft_reset();
	EXPECT_EQ(healed("hang_command"), 1u);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, AnEngineThatStaysStuckTakesTheNextCommand)
{
	user_queue q = create_queue(1);
	inject(R"("fault": "hang_command", "until": "flr")");
	send(q, copy_command());
	soft_reset();
	EXPECT_EQ(healed("hang_command"), 0u);
	EXPECT_FALSE(does_work_after_boot());
	EXPECT_EQ(fired("hang_command"), 2u);
	flr();
	EXPECT_EQ(healed("hang_command"), 1u);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, OnlyABusResetFreesIt)
{
	inject(R"("fault": "hang_command", "until": "bus_reset")");
	flr();
	EXPECT_FALSE(does_work_after_boot());
	card_->reset(reset_kind::bus);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, TimeOrClearLetsTheCommandGoOn)
{
	user_queue q = hang("never");
	clear();
	settle();
	EXPECT_EQ(reap(q).value().status, OAC_ST_SUCCESS);
	inject(R"("fault": "hang_command", "opcode": 16, "for_ms": 30)");
	EXPECT_EQ(run(q, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS) << "no COPY";
	send(q, copy_command());
	EXPECT_FALSE(reap(q));
	EXPECT_TRUE(card_->next_event_ns()) << "the shell has to wake up for it";
	pass_ms(31);
	EXPECT_EQ(reap(q).value().status, OAC_ST_SUCCESS);
	EXPECT_EQ(progress(q).completed, 3u);
}

TEST_F(hang_test, AHangShowsInTheLineAndAWaitDoesNot)
{
	user_queue q = hang("never");
	const std::uint32_t steps = progress(q).steps;
	for (int i = 0; i < 10; i++)
		pass_ms(50);
	EXPECT_EQ(progress(q).steps, steps);
	EXPECT_EQ(progress(q).waiting, 0u);
	user_queue waiting = create_queue(2);
	oac_cmd wait = make_cmd(OAC_CMD_WAIT);
	wait.body.timeline.va = alloc(8);
	wait.body.timeline.value = 1;
	send(waiting, wait);
	EXPECT_EQ(progress(waiting).sq_head, 1u);
	EXPECT_EQ(progress(waiting).waiting, 1u);
	host<std::uint64_t>(wait.body.timeline.va) = 1;
	pass_ms(2);
	EXPECT_EQ(progress(waiting).waiting, 0u);
	EXPECT_EQ(progress(waiting).completed, 1u);
}

TEST_F(hang_test, FirmwareHangStopsAdminAndHeartbeat)
{
	user_queue q = create_queue(1);
	inject(R"("fault": "hang_firmware")");
	const std::uint32_t beat = reg(OAC_REG_HEARTBEAT);
	pass_ms(100);
	EXPECT_EQ(reg(OAC_REG_HEARTBEAT), beat);
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_RUNNING });
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	EXPECT_EQ(run(q, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_TRUE(card_->fall_asleep()) << "what cannot be done keeps nobody awake";
	soft_reset();
	EXPECT_TRUE(does_work_after_boot());
	pass_ms(100);
	EXPECT_NE(reg(OAC_REG_HEARTBEAT), beat);
}

TEST_F(hang_test, FirmwareHangMayStopQueuesToo)
{
	user_queue q = create_queue(1);
	inject(R"("fault": "hang_firmware", "queues": "stop")");
	send(q, copy_command());
	EXPECT_FALSE(reap(q));
	EXPECT_EQ(progress(q).sq_head, 0u);
	EXPECT_TRUE(card_->fall_asleep());
	clear();
	settle();
	EXPECT_EQ(reap(q).value().status, OAC_ST_SUCCESS);
}

TEST_F(hang_test, AdminHangLeavesTheHeartbeat)
{
	inject(R"("fault": "hang_admin", "at": {"admin": 2})");
	EXPECT_TRUE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	const std::uint32_t beat = reg(OAC_REG_HEARTBEAT);
	pass_ms(10);
	EXPECT_NE(reg(OAC_REG_HEARTBEAT), beat);
	soft_reset();
	EXPECT_EQ(healed("hang_admin"), 1u);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, ResetsAreIgnoredUpToALevel)
{
	const std::uint32_t before = reg(OAC_REG_RESET_COUNT);
	inject(R"("fault": "reset_ignored", "level": "flr", "times": 3)");
	soft_reset();
	flr();
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), before);
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_RUNNING });
	card_->reset(reset_kind::bus);
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), before + 1);
	soft_reset();
	EXPECT_EQ(fired("reset_ignored"), 3u);
	soft_reset();
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), before + 2);
}

TEST_F(hang_test, BootHangsWhereItIsTold)
{
	for (const auto &[where, expected] : { std::pair{ "loading", OAC_STATE_LOADING },
					       { "verifying", OAC_STATE_VERIFYING },
					       { "starting", OAC_STATE_STARTING } }) {
		soft_reset();
		inject(std::string(R"("fault": "boot_hang", "state": ")") + where + '"');
		EXPECT_EQ(boot(firmware_builder{}.build()), static_cast<std::uint32_t>(expected));
		EXPECT_TRUE(card_->fall_asleep());
		soft_reset();
		EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_ROM });
		EXPECT_EQ(boot(firmware_builder{}.build()),
			  static_cast<std::uint32_t>(OAC_STATE_RUNNING));
	}
}

TEST_F(hang_test, BootHangEndsWhenItsTimeIsOver)
{
	soft_reset();
	inject(R"("fault": "boot_hang", "state": "starting", "for_ms": 100)");
	EXPECT_EQ(boot(firmware_builder{}.build()), static_cast<std::uint32_t>(OAC_STATE_STARTING));
	pass_ms(101);
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_RUNNING });
}

TEST_F(hang_test, BootsFailForTheReasonGiven)
{
	soft_reset();
	inject(R"("fault": "boot_fail", "times": 2)");
	EXPECT_EQ(boot(firmware_builder{}.build()), static_cast<std::uint32_t>(OAC_STATE_FAILED));
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), std::uint32_t{ OAC_FAIL_SELF_TEST });
	EXPECT_EQ(boot(firmware_builder{}.build()), static_cast<std::uint32_t>(OAC_STATE_FAILED));
	EXPECT_EQ(fired("boot_fail"), 2u);
	inject(R"("fault": "boot_fail", "reason": "hash")");
	EXPECT_EQ(boot(firmware_builder{}.build()), static_cast<std::uint32_t>(OAC_STATE_FAILED));
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), std::uint32_t{ OAC_FAIL_HASH });
	boot();
}

TEST_F(hang_test, CrashedFirmwareDoesNothingUntilAReset)
{
	user_queue q = create_queue(1);
	const std::uint32_t beat = reg(OAC_REG_HEARTBEAT);
	inject(R"("fault": "crash", "code": 51)");
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_CRASHED });
	pass_ms(50);
	EXPECT_EQ(reg(OAC_REG_HEARTBEAT), beat);
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	send(q, copy_command());
	EXPECT_FALSE(reap(q));
	EXPECT_FALSE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST)) << "only a reset helps";
	soft_reset();
	EXPECT_TRUE(does_work_after_boot());
	EXPECT_EQ(counter(OAC_COUNTER_CRASHES), 1u);
	const auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	const auto crash = std::find_if(events.begin(), events.end(), [](const oac_event &e) {
		return e.code == OAC_EVENT_CRASHED;
	});
	ASSERT_NE(crash, events.end());
	EXPECT_EQ(crash->arg, 51u);
	EXPECT_EQ(crash->severity, OAC_SEVERITY_CARD_FATAL);
}

TEST_F(hang_test, CrashesSoLongAfterEachBoot)
{
	inject(R"("fault": "crash_after", "ms": 20, "times": 2)");
	for (int i = 0; i < 2; i++) {
		soft_reset();
		boot();
		pass_ms(10);
		EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_RUNNING });
		pass_ms(11);
		EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_CRASHED });
	}
	soft_reset();
	boot();
	pass_ms(100);
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_RUNNING });
}

TEST_F(hang_test, SelfResetTellsNobody)
{
	user_queue q = create_queue(1);
	const std::uint32_t resets = reg(OAC_REG_RESET_COUNT);
	const unsigned interrupts = host_.interrupts[0];
	inject(R"("fault": "self_reset", "at": {"command": 3})");
	for (unsigned i = 0; i < 4; i++)
		push(q, copy_command(i));
	ring(q);
	settle();
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_ROM });
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), resets + 1);
	EXPECT_EQ(host_.interrupts[0], interrupts);
	EXPECT_EQ(reg(OAC_REG_ADMIN_CONTROL), 0u);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, DeadCardIsAllOnes)
{
	user_queue q = create_queue(1);
	const std::uint64_t word = 0x1234;
	ASSERT_TRUE(card_->bar_write(OAC_BAR_LMEM, 4096, std::as_bytes(std::span(&word, 1))));
	inject(R"("fault": "dead")");
	EXPECT_EQ(reg(OAC_REG_ID), OAC_REG_ALL_ONES);
	EXPECT_EQ(reg(OAC_REG_CLOCK_LO), OAC_REG_ALL_ONES);
	EXPECT_EQ(reg(OAC_MSIX_TABLE_OFFSET), OAC_REG_ALL_ONES);
	std::uint32_t seen = 0;
	EXPECT_TRUE(card_->config_read(0, std::as_writable_bytes(std::span(&seen, 1))));
	EXPECT_EQ(seen, UINT32_MAX);
	EXPECT_TRUE(card_->bar_read(OAC_BAR_LMEM, 0, std::as_writable_bytes(std::span(&seen, 1))));
	EXPECT_EQ(seen, UINT32_MAX);
	std::uint64_t mapped = 0;
	EXPECT_EQ(pread(card_->bar_backing(OAC_BAR_LMEM)->fd, &mapped, sizeof(mapped), 4096), 8);
	EXPECT_EQ(mapped, UINT64_MAX) << "what the host has mapped, too";
	const auto before = host_.memory;
	const auto interrupts = host_.interrupts;
	send(q, copy_command());
	soft_reset();
	pass_ms(1000);
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), OAC_REG_ALL_ONES);
	EXPECT_FALSE(reap(q));
	EXPECT_EQ(host_.interrupts, interrupts);
	EXPECT_TRUE(card_->fall_asleep());
	card_->reset(reset_kind::bus);
	EXPECT_EQ(reg(OAC_REG_ID), OAC_REG_ALL_ONES) << "until: never";
	clear();
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(state(), std::uint32_t{ OAC_STATE_ROM });
	EXPECT_EQ(pread(card_->bar_backing(OAC_BAR_LMEM)->fd, &mapped, sizeof(mapped), 4096), 8);
	EXPECT_EQ(mapped, 0u);
	EXPECT_TRUE(does_work_after_boot());
}

TEST_F(hang_test, DeadAtTheNthAccessAndBackWithABusReset)
{
	inject(R"("fault": "dead", "until": "bus_reset", "at": {"access": 3})");
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(reg(OAC_REG_ID), OAC_REG_ALL_ONES);
	card_->reset(reset_kind::bus);
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_TRUE(does_work_after_boot());
}

} // namespace
} // namespace oac::emu::test
