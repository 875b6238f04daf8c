// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards that hang, lie, crash, burn or vanish: what the driver finds, which rung helps, who loses
// what. Needs the emulator's control socket (control.hpp).
#include "control.hpp"
#include "objects.hpp"
#include "recovery.hpp"

#include "../support/asleep.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace oac::abi;

class faults : public recovery_test
{
protected:
	void SetUp() override
	{
		if (!has_control())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
		recovery_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		watchdog_.emplace("watchdog_ms", "100");
		hang_.emplace("hang_ms", std::to_string(1000 * slowness()));
		generation_ = health().generation;
		events_.emplace(dev(), 0);
	}

	void TearDown() override
	{
		if (!IsSkipped() && has_control()) {
			control(path(), R"({"request":"clear"})");
			/* What the watchdog has not noticed yet it will. */
			wait_for_reason(OAC_REASON_NONE);
		}
		recovery_test::TearDown();
	}

	/* On a new context of ours: its queue, with one command that the card is to hang in. */
	drm_oac_queue_create hang(const std::string &until) const
	{
		const auto made = make_kernel_queue();

		inject(path(), "hang_command", R"("until":")" + until + '"');
		write_nops(0, 3);
		EXPECT_EQ(ring(made.queue, 3), 0);
		return made;
	}

	const event_reader &told() const { return *events_; }

	std::uint32_t generation_ = 0;

private:
	std::optional<parameter> watchdog_, hang_;
	std::optional<event_reader> events_;
};

/* ---- Commands that hang ----------------------------------------------------------------------- */

TEST_F(faults, a_hung_command_is_aborted)
{
	const auto before = rungs();
	const auto made = hang("abort");
	drm_oac_queue_wait out = {};

	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_ABORT);
	out.queue = made.queue;
	out.deadline_ns = deadline_ms(60000);
	EXPECT_EQ(dev()(out), 0);
	EXPECT_EQ(out.state, static_cast<std::uint32_t>(OAC_QUEUE_ERROR));
	EXPECT_EQ(out.status, static_cast<std::uint32_t>(OAC_ST_ABORTED));
	EXPECT_EQ(rungs()[OAC_RUNG_ABORT].helped, before[OAC_RUNG_ABORT].helped + 1);
	EXPECT_EQ(rungs()[OAC_RUNG_ABORT].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_HANG));
	EXPECT_EQ(health().generation, generation_);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
	drm_oac_queue_destroy destroy = { made.queue, 0 };
	EXPECT_EQ(dev()(destroy), 0);
	const auto next = make_kernel_queue();
	write_nops(0, 1);
	EXPECT_EQ(ring(next.queue, 1), 0);
	wait_for(next.queue, 1);
}

TEST_F(faults, a_queue_that_cannot_be_aborted_is_taken_away)
{
	const auto made = hang("queue");
	drm_oac_queue_wait out = {};

	out.queue = made.queue;
	out.deadline_ns = deadline_ms(60000);
	EXPECT_EQ(dev()(out), ESTALE);
	EXPECT_EQ(out.completed, 0u);
	EXPECT_EQ(out.taken, 1u);
	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_QUEUE);
	EXPECT_EQ(health().generation, generation_);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
	EXPECT_EQ(ring(made.queue, 3), ESTALE);
	const auto next = make_kernel_queue();
	write_nops(0, 1);
	EXPECT_EQ(ring(next.queue, 1), 0);
	wait_for(next.queue, 1);
}

TEST_F(faults, a_context_that_keeps_its_queue_is_taken_away)
{
	const std::uint32_t innocent = dev().context();
	const auto made = hang("context");

	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_CONTEXT);
	EXPECT_EQ(health().generation, generation_);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_GUILTY));
	EXPECT_EQ(lost(innocent), static_cast<std::uint32_t>(OAC_LOST_NO));
	EXPECT_EQ(wait(made.queue, 0), ESTALE);
	expect_card_works();
}

class faults_by_rung : public faults, public testing::WithParamInterface<std::uint32_t>
{};

/*
 * Everybody loses, and one is guilty. A rung that seems to help and does not, because the engine
 * hangs with the next command, is not tried again.
 */
TEST_P(faults_by_rung, an_engine_that_does_not_let_go)
{
	const char *const names[] = { "", "", "", "soft_reset", "flr", "bus_reset" };
	const std::uint32_t innocent = dev().context();
	const auto made = hang(names[GetParam()]);
	const auto before = rungs();

	told().read_until(OAC_EVENT_RECOVERED, soft);
	drm_oac_queue_wait out = {};
	out.queue = made.queue;
	EXPECT_EQ(dev()(out), ESTALE);
	EXPECT_EQ(out.completed, 0u);
	EXPECT_EQ(out.taken, 1u);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_GUILTY));
	EXPECT_EQ(lost(innocent), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	for (std::uint32_t rung = OAC_RUNG_FLR; rung <= GetParam(); rung++) {
		context_ = dev().context();
		ASSERT_EQ(map(handle_, va, ring_size), 0);
		const auto again = make_kernel_queue();
		ASSERT_EQ(ring(again.queue, 3), 0);
		told().read_until(OAC_EVENT_RECOVERED, rung);
		EXPECT_EQ(wait(again.queue, 0), ESTALE);
	}
	EXPECT_EQ(health().generation, generation_ + 1 + GetParam() - OAC_RUNG_SOFT_RESET);
	for (std::uint32_t rung = soft; rung <= GetParam(); rung++) {
		EXPECT_EQ(rungs()[rung].tried, before[rung].tried + 1) << rung;
		EXPECT_EQ(rungs()[rung].helped, before[rung].helped + 1) << rung;
	}
	expect_card_works();
}

INSTANTIATE_TEST_SUITE_P(ladder, faults_by_rung,
			 testing::Values(OAC_RUNG_SOFT_RESET, OAC_RUNG_FLR, OAC_RUNG_BUS_RESET));

/*
 * A WAIT may wait as long as it likes, and is not the watchdog's business: another queue that began
 * later is found to hang, this one is not.
 */
TEST_F(faults, a_queue_that_waits_does_not_hang)
{
	const auto made = make_kernel_queue();
	const node other = open();
	const auto later = make_queue_on(other, DRM_OAC_QUEUE_KERNEL_SUBMIT);
	drm_oac_queue_submit ring_later = { later.queue, DRM_OAC_SUBMIT_TAIL, 1, 0 };
	drm_oac_queue_wait look = {};

	write_nops(0, 1);
	write_timeline(1, OAC_CMD_WAIT, 1);
	EXPECT_EQ(ring(made.queue, 2), 0);
	wait_for(made.queue, 1);
	inject(path(), "hang_command", R"("until":"abort")");
	ASSERT_EQ(other.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &ring_later), 0);
	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_ABORT);
	ASSERT_EQ(wait(made.queue, 1, &look), ETIMEDOUT);
	EXPECT_EQ(look.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	*word() = 1;
	wait_for(made.queue, 2);
	EXPECT_EQ(health().generation, generation_);
}

/* ---- Stores and interrupts that get lost ------------------------------------------------------ */

TEST_F(faults, a_lost_doorbell_is_rung_again)
{
	/* Long before this, however slow the machine. */
	const parameter patient("hang_ms", "20000");
	const auto made = make_kernel_queue();

	inject(path(), "lost_doorbell");
	write_nops(0, 2);
	EXPECT_EQ(ring(made.queue, 2), 0);
	wait_for(made.queue, 2);
	EXPECT_EQ(health().generation, generation_);
	for (const auto &one : told().read())
		EXPECT_NE(one.code, OAC_EVENT_RECOVERY);
}

/* Then there is work that does not move, though the card does not know of it. */
TEST_F(faults, a_doorbell_that_is_never_heard_is_a_hang)
{
	const auto made = make_kernel_queue();

	inject(path(), "lost_doorbell", R"("times":0)");
	write_nops(0, 1);
	EXPECT_EQ(ring(made.queue, 1), 0);
	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_QUEUE);
	EXPECT_EQ(wait(made.queue, 0), ESTALE);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
	EXPECT_EQ(health().generation, generation_);
	control(path(), R"({"request":"clear"})");
	expect_card_works();
}

TEST_F(faults, who_polls_an_eventfd_hears_of_a_lost_interrupt)
{
	const auto made = make_kernel_queue();
	const node event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	drm_oac_queue_eventfd with = { made.queue, event.fd() };
	pollfd poll_for = { event.fd(), POLLIN, 0 };
	drm_oac_queue_submit both = { made.queue, DRM_OAC_SUBMIT_TAIL | DRM_OAC_SUBMIT_ARM, 1, 0 };

	ASSERT_EQ(dev()(with), 0);
	/* Of every queue: whichever vector they share. */
	inject(path(), "lost_interrupt", R"("times":0)");
	write_nops(0, 1);
	ASSERT_EQ(dev().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &both), 0);
	EXPECT_EQ(poll(&poll_for, 1, 20000 * static_cast<int>(slowness())), 1);
	EXPECT_EQ(health().generation, generation_);
}

/* ---- Firmware --------------------------------------------------------------------------------- */

TEST_F(faults, firmware_that_hangs_is_found_by_its_heartbeat)
{
	inject(path(), "hang_firmware");
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_KEEP_ALIVE));
	EXPECT_EQ(health().generation, generation_ + 1);
	expect_card_works();
}

TEST_F(faults, an_admin_command_without_an_answer_gives_etime)
{
	const parameter deadline("admin_timeout_ms", std::to_string(500 * slowness()));
	drm_oac_map map = {};

	ASSERT_TRUE(deadline.is_set());
	inject(path(), "hang_admin");
	map.context = context_;
	map.handle = handle_;
	map.va = 1 << 30;
	map.size = page;
	map.flags = DRM_OAC_MAP_READ;
	const int err = dev()(map);
	EXPECT_TRUE(err == ETIME || err == EHOSTDOWN || err == ESTALE) << err;
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_ADMIN));
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	expect_card_works();
}

TEST_F(faults, a_crash_and_a_reset_of_its_own_are_seen)
{
	inject(path(), "crash", R"("code":7)");
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_CRASHED));
	expect_card_works();
	inject(path(), "self_reset");
	told().read_until(OAC_EVENT_RECOVERY, OAC_CAUSE_SELF_RESET);
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(health().generation, generation_ + 2);
	expect_card_works();
}

TEST_F(faults, lies_of_the_admin_queue_start_a_recovery)
{
	inject(path(), "lie", R"("field":"cid")");
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_IMPLAUSIBLE));
	expect_card_works();
}

/* ---- Resets that do not help ------------------------------------------------------------------ */

TEST_F(faults, a_reset_that_does_not_happen_is_no_help)
{
	const auto before = rungs();

	inject(path(), "reset_ignored", R"("level":"soft_reset","times":8)");
	inject(path(), "crash");
	told().read_until(OAC_EVENT_RUNG, soft);
	told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_FLR);
	EXPECT_EQ(rungs()[soft].tried, before[soft].tried + 1);
	EXPECT_EQ(rungs()[soft].helped, before[soft].helped);
	EXPECT_EQ(health().generation, generation_ + 1);
	expect_card_works();
}

TEST_F(faults, a_wedged_card_keeps_its_node_and_can_be_asked_for_again)
{
	const auto made = make_kernel_queue();
	{
		const allowed_rungs none(0);

		ASSERT_TRUE(none.is_set());
		inject(path(), "self_reset");
		told().read_until(OAC_EVENT_WEDGED, OAC_CAUSE_SELF_RESET);
		wait_for_reason(OAC_REASON_WEDGED);
		EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_FAILED));
		EXPECT_EQ(health().action, static_cast<std::uint32_t>(OAC_ACTION_POWER_CYCLE));
		EXPECT_EQ(wait(made.queue, 0), ESTALE);
		drm_oac_context_create create = {};
		EXPECT_EQ(open()(create), EHOSTDOWN);
		EXPECT_EQ(reset(soft), EACCES);
	}
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	expect_card_works();
}

TEST_F(faults, a_held_recovery_waits_for_somebody)
{
	ASSERT_EQ(write_health_file(path(), "recovery", "held"), 0);
	inject(path(), "crash");
	told().read_until(OAC_EVENT_HELD, OAC_CAUSE_CRASHED);
	EXPECT_EQ(health().is_held, 1u);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_CRASHED));
	EXPECT_EQ(health().generation, generation_);
	EXPECT_EQ(health_file(path(), "recovery"), "held");
	drm_oac_context_create create = {};
	EXPECT_EQ(dev()(create), EHOSTDOWN);
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().is_held, 0u);
	EXPECT_EQ(health().generation, generation_ + 1);
	expect_card_works();
}

/* ---- A card that is gone ---------------------------------------------------------------------- */

TEST_F(faults, a_dead_card_is_gone_until_the_pci_core_resets_it)
{
	const auto made = make_kernel_queue();
	const unsigned id = inject(path(), "dead");

	told().read_until(OAC_EVENT_GONE);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_GONE));
	EXPECT_EQ(health().action, static_cast<std::uint32_t>(OAC_ACTION_RESCAN));
	EXPECT_EQ(health_file(path(), "state"), "failed");
	EXPECT_EQ(wait(made.queue, 0), ENODEV);
	EXPECT_EQ(reset(soft), ENODEV);
	drm_oac_context_create create = {};
	EXPECT_EQ(dev()(create), ENODEV);
	clear(path(), id);
	const std::string device = "/sys/bus/pci/devices/" + pci_address(path()) + "/reset";
	const node file(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
	ASSERT_EQ(::write(file.fd(), "1", 1), 1);
	told().read_until(OAC_EVENT_RECOVERED);
	EXPECT_EQ(wait(made.queue, 0), ESTALE);
	expect_card_works();
}

/* ---- Health that is no failure ---------------------------------------------------------------- */

TEST_F(faults, heat_and_sensors_show_in_health)
{
	const auto shows = [&](const char *fault, const char *more, std::uint32_t reason,
			       std::uint32_t state) {
		const unsigned id = inject(path(), fault, more);

		wait_for_reason(reason);
		told().read_until(OAC_EVENT_HEALTH, reason);
		EXPECT_EQ(health().state, state) << fault;
		clear(path(), id);
		told().read_until(OAC_EVENT_HEALTH, OAC_REASON_NONE);
	};

	shows("thermal", R"("value":120000)", OAC_REASON_TOO_HOT, OAC_HEALTH_NEEDS_RESET);
	shows("sensor_dead", R"("sensor":"chip_temp")", OAC_REASON_SENSOR_DEAD,
	      OAC_HEALTH_DEGRADED);
	shows("power_brake", "", OAC_REASON_POWER_BRAKE, OAC_HEALTH_DEGRADED);
	/* Engines that stood still run again with the firmware only. */
	EXPECT_EQ(health().generation, generation_ + 1);
	expect_card_works();
}

TEST_F(faults, a_link_below_what_it_can_shows_until_it_is_mended)
{
	const unsigned id = inject(path(), "config_garbage", R"("field":"link")");

	told().read_until(OAC_EVENT_HEALTH, OAC_REASON_LINK_DEGRADED);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_DEGRADED));
	EXPECT_EQ(health().action, static_cast<std::uint32_t>(OAC_ACTION_CHECK_LINK));
	/* As the link status register has them: 2.5 GT/s, one lane. */
	EXPECT_EQ(health().arg, 0x11u);
	EXPECT_EQ(health_file(path(), "reason"), "link_degraded");
	const event_reader all(dev(), 1);
	const auto events = all.read();
	EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto &one) {
		return one.code == OAC_EVENT_LINK_DEGRADED && one.arg == 0x11;
	}));
	expect_card_works();
	/* A reset of the card does not mend it. */
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_LINK_DEGRADED));
	clear(path(), id);
	told().read_until(OAC_EVENT_HEALTH, OAC_REASON_NONE);
}

TEST_F(faults, memory_that_lost_data_shows_until_the_reset)
{
	inject(path(), "ecc_lost", R"("heap":"lmem","address":4096)");
	told().read_until(OAC_EVENT_HEALTH, OAC_REASON_ECC_LOST);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_DEGRADED));
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
}

TEST_F(faults, a_wrong_answer_is_found_by_the_self_test)
{
	drm_oac_self_test test = {};
	const unsigned id = inject(path(), "wrong_answer", R"("engine":0)");

	test.deadline_ns = u64_max;
	ASSERT_EQ(dev().call(DRM_IOCTL_OAC_SELF_TEST, &test), 0);
	EXPECT_EQ(test.failed & 1, 1u);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_SELF_TEST));
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_FAILED));
	EXPECT_EQ(health().arg, test.failed);
	/* No reset takes that back, only a test that passes. */
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_SELF_TEST));
	clear(path(), id);
	test.failed = 0;
	ASSERT_EQ(dev().call(DRM_IOCTL_OAC_SELF_TEST, &test), 0);
	EXPECT_EQ(test.failed, 0u);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
}

/* ---- Others ----------------------------------------------------------------------------------- */

TEST_F(faults, nobody_waits_for_a_hung_card_to_ask_how_it_is)
{
	const auto nodes = find_nodes();
	std::vector<std::uint32_t> generations;

	for (const auto &one : nodes)
		generations.push_back(health(node(::open(one.c_str(), O_RDWR))).generation);
	inject(path(), "hang_firmware", R"("queues":"stop")");
	for (int i = 0; i < 100; i++) {
		for (const auto &one : nodes) {
			const node on(::open(one.c_str(), O_RDWR | O_CLOEXEC));
			const auto began = std::chrono::steady_clock::now();

			health(on);
			health_file(one, "state");
			event_reader(on, 1);
			EXPECT_LT(std::chrono::steady_clock::now() - began,
				  std::chrono::milliseconds(100) * slowness());
		}
	}
	told().read_until(OAC_EVENT_RECOVERED);
	for (std::size_t i = 0; i < nodes.size(); i++) {
		const node on(::open(nodes[i].c_str(), O_RDWR | O_CLOEXEC));

		if (nodes[i] != path()) {
			EXPECT_EQ(health(on).generation, generations[i]) << "another card";
		}
	}
}
