// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// RESET: what is lost, what stays, who is told.
#include "objects.hpp"
#include "recovery.hpp"
#include "rights.hpp"

#include "../support/asleep.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace oac::abi;

class reset_card : public recovery_test
{
protected:
	void SetUp() override
	{
		recovery_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		generation_ = health().generation;
	}

	/* Two NOPs done, then one that waits for a value that never comes, and one behind it. */
	drm_oac_queue_create make_stuck_queue() const
	{
		const auto made = make_kernel_queue();

		write_nops(0, 2);
		write_timeline(2, OAC_CMD_WAIT, 1000);
		write_nops(3, 1);
		EXPECT_EQ(ring(made.queue, 4), 0);
		wait_for(made.queue, 2);
		return made;
	}

	std::uint32_t generation_ = 0;
};

TEST_F(reset_card, raises_the_generation_and_the_rungs_count)
{
	const auto before = rungs();
	drm_oac_reset out = {};

	ASSERT_EQ(reset(soft, 0, &out), 0);
	EXPECT_EQ(out.rung, soft);
	EXPECT_EQ(out.generation, generation_ + 1);
	EXPECT_EQ(health().generation, generation_ + 1);
	const auto after = rungs();
	EXPECT_EQ(after[soft].tried, before[soft].tried + 1);
	EXPECT_EQ(after[soft].helped, before[soft].helped + 1);
	EXPECT_EQ(after[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_OPERATOR));
	EXPECT_NE(after[soft].last_ns, 0u);
	EXPECT_GE(after[soft].longest_ns, after[soft].last_ns);
	EXPECT_EQ(after[OAC_RUNG_FLR].tried, before[OAC_RUNG_FLR].tried);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	expect_card_works();
}

TEST_F(reset_card, contexts_are_lost_and_say_so)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();
	const node event(eventfd(0, EFD_CLOEXEC));
	drm_oac_queue_eventfd arm = { made.queue, event.fd() };

	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	drm_oac_map map = {};
	map.context = context_;
	map.handle = handle_;
	map.va = 1 << 30;
	map.size = page;
	map.flags = DRM_OAC_MAP_READ;
	EXPECT_EQ(dev()(map), ESTALE);
	EXPECT_EQ(unmap(va, ring_size), ESTALE);
	auto create = good_queue();
	EXPECT_EQ(dev()(create), ESTALE);
	EXPECT_EQ(ring(made.queue, 1), ESTALE);
	EXPECT_EQ(wait(made.queue, 0), ESTALE);
	EXPECT_EQ(fence(made.queue, 1, obj), ESTALE);
	EXPECT_EQ(dev()(arm), ESTALE);
	/* They are there until they are destroyed. */
	drm_oac_queue_destroy destroy_queue = { made.queue, 0 };
	EXPECT_EQ(dev()(destroy_queue), 0);
	EXPECT_EQ(dev()(destroy_queue), ENOENT);
	drm_oac_context_destroy destroy = { context_, 0 };
	EXPECT_EQ(dev()(destroy), 0);
	EXPECT_EQ(dev()(destroy), ENOENT);
	EXPECT_EQ(dev()(map), ENOENT);
	expect_card_works();
}

TEST_F(reset_card, lost_contexts_take_no_place_on_the_card)
{
	dev().context();
	EXPECT_EQ(dev().info().contexts, 2u);
	make_kernel_queue();
	EXPECT_EQ(dev().info().queues, 1u);
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(dev().info().contexts, 0u);
	EXPECT_EQ(dev().info().queues, 0u);
}

TEST_F(reset_card, sleepers_are_woken_and_told_how_far_it_got)
{
	const auto made = make_stuck_queue();
	std::atomic<pid_t> waiting{ 0 };

	std::thread waiter([&] {
		drm_oac_queue_wait arg = {};

		waiting = gettid();
		waiting.notify_one();
		arg.queue = made.queue;
		arg.seen = 2;
		arg.deadline_ns = deadline_ms(60000);
		EXPECT_EQ(dev()(arg), ESTALE);
		EXPECT_EQ(arg.completed, 2u);
		EXPECT_EQ(arg.taken, 3u);
		EXPECT_EQ(arg.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
	});
	waiting.wait(0);
	EXPECT_TRUE(support::wait_until_asleep(waiting));
	ASSERT_EQ(reset(soft), 0);
	waiter.join();
	/* And so for whoever asks later. */
	drm_oac_queue_wait look = {};
	look.queue = made.queue;
	look.seen = 2;
	EXPECT_EQ(dev()(look), ESTALE);
	EXPECT_EQ(look.completed, 2u);
	EXPECT_EQ(look.taken, 3u);
}

TEST_F(reset_card, fences_and_eventfds_are_signalled)
{
	const auto made = make_stuck_queue();
	const std::uint32_t done = syncobj(), never = syncobj();
	const node event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	drm_oac_queue_eventfd arm = { made.queue, event.fd() };
	std::uint64_t count = 0;

	ASSERT_EQ(fence(made.queue, 2, done), 0);
	ASSERT_EQ(fence(made.queue, 3, never), 0);
	ASSERT_EQ(dev()(arm), 0);
	while (::read(event.fd(), &count, sizeof(count)) > 0)
		;
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(status(done), 1);
	EXPECT_EQ(status(never), -ECANCELED);
	EXPECT_EQ(::read(event.fd(), &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
}

TEST_F(reset_card, host_memory_stays_and_works_with_a_new_context)
{
	std::uint64_t offset = 0;
	const std::uint32_t handle = dev().buffer(2 * page, &offset);
	const mapping memory(dev(), offset, 2 * page);
	drm_oac_context_destroy destroy = { context_, 0 };

	ASSERT_TRUE(memory.is_valid());
	*memory.at<std::uint64_t>() = 0x0123456789abcdefull;
	ASSERT_EQ(map(handle, 1 << 30, 2 * page), 0);
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(*memory.at<std::uint64_t>(), 0x0123456789abcdefull);
	ASSERT_EQ(dev()(destroy), 0);
	context_ = dev().context();
	ASSERT_EQ(map(handle_, va, ring_size), 0);
	ASSERT_EQ(map(handle, 1 << 30, 2 * page), 0);
	EXPECT_EQ(copy(1 << 30, (1 << 30) + page, 8), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	EXPECT_EQ(*memory.at<std::uint64_t>(page), 0x0123456789abcdefull);
}

TEST_F(reset_card, doorbells_become_plain_memory)
{
	if (!(dev().info().driver_features & DRM_OAC_FEATURE_USER_SUBMIT))
		GTEST_SKIP() << "no doorbells to map";
	const auto made = make_queue();
	const bell bell(dev(), made);

	ASSERT_TRUE(bell.mapped() && bell.is_valid());
	submit(bell, 0, OAC_CMD_NOP);
	wait_for(made.queue, 1);
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(bell.ring(99), 0);
	EXPECT_EQ(*bell.mapped()->at<std::uint32_t>(OAC_DB_SQ_TAIL), 99u);
	/* The number is another queue's now; the old page does not reach it. */
	EXPECT_FALSE(mapping(dev(), made.doorbell_offset, page).is_valid());
	expect_card_works();
}

TEST_F(reset_card, local_memory_is_stale)
{
	if (!has_local())
		GTEST_SKIP() << "no local memory";
	std::uint64_t offset = 0;
	const std::uint32_t handle = local_buffer(2 * page, &offset);
	const mapping memory(dev(), offset, 2 * page);

	*memory.at<std::uint64_t>() = 77;
	ASSERT_EQ(reset(soft), 0);
	EXPECT_EQ(*memory.at<std::uint64_t>(), 0u);
	*memory.at<std::uint64_t>() = 78;
	EXPECT_EQ(*memory.at<std::uint64_t>(), 78u);
	context_ = dev().context();
	EXPECT_EQ(map(handle, 1 << 30, 2 * page), ESTALE);
	EXPECT_NE(local_buffer(2 * page), 0u);
}

TEST_F(reset_card, firmware_can_be_asked_for_and_other_rungs_too)
{
	for (std::uint32_t rung : { OAC_RUNG_FLR, OAC_RUNG_BUS_RESET, OAC_RUNG_FIRMWARE }) {
		drm_oac_reset out = {};

		ASSERT_EQ(reset(rung, DRM_OAC_RESET_ONLY, &out), 0) << "rung " << rung;
		EXPECT_EQ(out.rung, rung);
		EXPECT_EQ(rungs()[rung].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_OPERATOR));
		expect_card_works();
	}
	EXPECT_EQ(health().generation, generation_ + 3);
}

TEST_F(reset_card, forbidden_rungs_are_skipped_or_refused)
{
	const allowed_rungs some(1u << OAC_RUNG_FLR | 1u << OAC_RUNG_FIRMWARE);
	const auto before = rungs();

	ASSERT_TRUE(some.is_set());
	EXPECT_EQ(health().rungs_allowed, 1u << OAC_RUNG_FLR | 1u << OAC_RUNG_FIRMWARE);
	EXPECT_EQ(reset(soft), EACCES);
	EXPECT_EQ(write_health_file(path(), "reset", "soft_reset"), EACCES);
	EXPECT_EQ(reset(OAC_RUNG_FLR), 0);
	const auto after = rungs();
	EXPECT_EQ(after[soft].tried, before[soft].tried);
	EXPECT_EQ(after[OAC_RUNG_FLR].tried, before[OAC_RUNG_FLR].tried + 1);
	expect_card_works();
}

TEST_F(reset_card, sysfs_takes_the_name_of_a_rung)
{
	ASSERT_EQ(write_health_file(path(), "reset", "soft_reset\n"), 0);
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(health_file(path(), "generation"), std::to_string(generation_ + 1));
	expect_card_works();
}

TEST_F(reset_card, by_the_pci_core_is_followed_by_a_recovery)
{
	const event_reader reader(dev(), 0);
	const std::string device = "/sys/bus/pci/devices/" + pci_address(path());
	const node file(::open((device + "/reset").c_str(), O_WRONLY | O_CLOEXEC));

	ASSERT_GE(file.fd(), 0);
	ASSERT_EQ(::write(file.fd(), "1", 1), 1);
	reader.read_until(OAC_EVENT_RECOVERED);
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	expect_card_works();
}

/* As far as the kernel's own test of it goes: all devices sleep and wake, the machine does not. */
TEST_F(reset_card, the_hosts_sleep_loses_contexts_and_nothing_else)
{
	const auto write_power = [](const char *name, const std::string &text) {
		const node file(
			::open((std::string("/sys/power/") + name).c_str(), O_WRONLY | O_CLOEXEC));

		return ::write(file.fd(), text.data(), text.size()) ==
		       static_cast<ssize_t>(text.size());
	};
	const event_reader reader(dev(), 0);
	const auto made = make_stuck_queue();
	drm_oac_queue_wait look = {};

	if (!std::getenv("OAC_TEST_UNBIND"))
		GTEST_SKIP() << "OAC_TEST_UNBIND is not set: other cards' users would lose, too";
	if (!write_power("pm_test", "devices"))
		GTEST_SKIP() << "the kernel cannot test its sleep (/sys/power/pm_test)";
	EXPECT_TRUE(write_power("state", "freeze")) << errno;
	EXPECT_TRUE(write_power("pm_test", "none"));
	reader.read_until(OAC_EVENT_RECOVERED);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_RESUME));
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	look.queue = made.queue;
	EXPECT_EQ(dev()(look), ESTALE);
	EXPECT_EQ(look.taken, 3u);
	EXPECT_EQ(look.completed, 2u);
	expect_card_works();
}

/* Everybody works, and the card is reset again and again. */
TEST_F(reset_card, under_load)
{
	std::vector<std::thread> threads;
	std::atomic<bool> is_over = false;
	std::atomic<unsigned> rounds = 0;

	for (unsigned i = 0; i < 3; i++) {
		threads.emplace_back([&] {
			const node own = open();

			while (!is_over) {
				drm_oac_context_create create = {};
				drm_oac_bo_create bo = { 8 * page, 0, 0, 0, 0, 0 };
				drm_oac_map one = {};
				drm_gem_close close = {};

				if (own(create))
					continue;
				drm_oac_context_destroy destroy = { create.context, 0 };
				if (own(bo) == 0) {
					one.context = create.context;
					one.handle = close.handle = bo.handle;
					one.va = page;
					one.size = 8 * page;
					one.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
					if (own(one) == 0) {
						drm_oac_queue_create queue = {};
						drm_oac_queue_submit ring = {};
						drm_oac_queue_wait wait = {};

						queue.context = create.context;
						queue.depth_log2 = 4;
						queue.sq_va = page;
						queue.cq_va = 2 * page;
						queue.tail_va = 3 * page;
						queue.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
						if (own(queue) == 0) {
							ring.queue = wait.queue = queue.queue;
							ring.flags = DRM_OAC_SUBMIT_TAIL;
							ring.tail = 1;
							wait.deadline_ns = deadline_ms(60000);
							if (own.call(DRM_IOCTL_OAC_QUEUE_SUBMIT,
								     &ring) == 0) {
								EXPECT_NE(own(wait), ETIMEDOUT);
							}
						}
					}
					EXPECT_EQ(own(close), 0);
				}
				EXPECT_EQ(own(destroy), 0);
				rounds++;
				rounds.notify_one();
			}
		});
	}
	for (unsigned i = 0; i < 10; i++) {
		const unsigned before = rounds;

		for (unsigned now = before; now < before + 5; now = rounds)
			rounds.wait(now);
		EXPECT_EQ(reset(soft), 0);
	}
	is_over = true;
	for (auto &one : threads)
		one.join();
	expect_card_works();
}
