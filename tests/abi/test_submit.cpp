// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// QUEUE_SUBMIT: the kernel's doorbell. What a wrong field gives is in matrix_queue.cpp.
#include "fenced.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace oac::abi;

class submit : public fenced_test
{};

TEST_F(submit, carries_out_one_command_and_a_batch)
{
	const auto made = make_kernel_queue();

	write_nops(0, 1);
	ASSERT_EQ(ring(made.queue, 1), 0);
	wait_for(made.queue, 1);
	write_nops(1, depth);
	ASSERT_EQ(ring(made.queue, 1 + depth), 0);
	wait_for(made.queue, 1 + depth);
	/* The completion of the last command. */
	EXPECT_EQ(rings_->at<oac_completion>(page + depth % depth * sizeof(oac_completion))->tag,
		  depth);
}

TEST_F(submit, tail_moves_forward_only_and_not_past_the_ring)
{
	const auto made = make_kernel_queue();

	/* Held at its first command: nothing completes. */
	write_timeline(0, OAC_CMD_WAIT, 1);
	write_nops(1, depth - 1);
	ASSERT_EQ(ring(made.queue, 3), 0);
	EXPECT_EQ(ring(made.queue, 2), EINVAL);
	EXPECT_EQ(ring(made.queue, 3), 0);
	EXPECT_EQ(ring(made.queue, depth + 1), EINVAL);
	EXPECT_EQ(ring(made.queue, 3 + 0x80000000u), EINVAL);
	ASSERT_EQ(ring(made.queue, depth), 0);
	EXPECT_EQ(ring(made.queue, depth + 1), EINVAL);
	/* Nothing that was refused has reached the card. */
	*word() = 1;
	wait_for(made.queue, depth);
	drm_oac_queue_wait now = {};
	EXPECT_EQ(wait(made.queue, 0, &now), 0);
	EXPECT_EQ(now.completed, depth);
	EXPECT_EQ(now.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
}

TEST_F(submit, believes_the_card_and_not_the_ring)
{
	const auto made = make_kernel_queue();

	write_timeline(0, OAC_CMD_WAIT, 1);
	write_nops(1, depth - 1);
	ASSERT_EQ(ring(made.queue, depth), 0);
	*rings_->at<std::uint32_t>(2 * page) = depth;
	EXPECT_EQ(ring(made.queue, depth + 1), EINVAL);
	*word() = 1;
	wait_for(made.queue, depth);
	EXPECT_EQ(ring(made.queue, depth + 1), 0);
}

TEST_F(submit, its_doorbell_page_cannot_be_mapped)
{
	const std::uint64_t most = dev().info().max_queues;

	make_kernel_queue();
	for (std::uint64_t i = 0; i <= most; i++) {
		EXPECT_FALSE(mapping(dev(), i * page, page).is_valid()) << i;
		EXPECT_EQ(errno, EINVAL);
	}
}

TEST_F(submit, a_failed_queue_takes_no_more)
{
	const auto made = make_kernel_queue();
	oac_cmd bad = {};

	bad.opcode = 0xee;
	write(0, bad);
	ASSERT_EQ(ring(made.queue, 1), 0);
	wait_for(made.queue, 1);
	drm_oac_queue_wait now = {};
	EXPECT_EQ(wait(made.queue, 1, &now), 0);
	EXPECT_EQ(now.status, static_cast<std::uint32_t>(OAC_ST_BAD_OPCODE));
	EXPECT_EQ(ring(made.queue, 2), EIO);
	EXPECT_EQ(ring(made.queue, 1), EIO);
	drm_oac_queue_destroy destroy = { made.queue, 0 };
	EXPECT_EQ(dev()(destroy), 0);
	EXPECT_EQ(ring(made.queue, 2), ENOENT);
	EXPECT_EQ(arm(made.queue, 0), ENOENT);
}

TEST_F(submit, arms_one_interrupt_for_an_eventfd)
{
	const auto made = make_kernel_queue();
	const node event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	drm_oac_queue_eventfd with = { made.queue, event.fd() };
	pollfd poll_for = { event.fd(), POLLIN, 0 };
	std::uint64_t count = 0;

	ASSERT_EQ(dev()(with), 0);
	ASSERT_EQ(arm(made.queue, 0), 0);
	/* Not "nothing until then": with one vector, the admin queue's interrupts count too. */
	write_nops(0, 1);
	ASSERT_EQ(ring(made.queue, 1), 0);
	ASSERT_EQ(poll(&poll_for, 1, 20000), 1);
	EXPECT_EQ(read(event.fd(), &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
	/* Both at once; seen already differs when it completes. */
	drm_oac_queue_submit both = { made.queue, DRM_OAC_SUBMIT_TAIL | DRM_OAC_SUBMIT_ARM, 2, 1 };
	write_nops(1, 1);
	ASSERT_EQ(dev().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &both), 0);
	EXPECT_EQ(poll(&poll_for, 1, 20000), 1);
}

TEST_F(submit, four_threads_share_a_queue)
{
	constexpr std::uint32_t each = 250, threads = 4;
	const auto made = make_kernel_queue();
	std::atomic<std::uint32_t> refused = 0;
	std::vector<std::thread> all;
	std::uint32_t tail = 0;
	std::mutex ring_lock;

	/* The ring is written under a lock, the doorbell is rung in no order. */
	for (std::uint32_t t = 0; t < threads; t++) {
		all.emplace_back([&] {
			for (std::uint32_t i = 0; i < each; i++) {
				std::unique_lock lock(ring_lock);
				drm_oac_queue_wait now = {};
				while (wait(made.queue, tail - depth, &now) == 0 &&
				       tail - now.completed >= depth)
					wait(made.queue, now.completed, nullptr);
				write_nops(tail, 1);
				const std::uint32_t mine = ++tail;
				lock.unlock();
				const int err = ring(made.queue, mine);
				/* Another has been here with more. */
				refused += err == EINVAL;
				EXPECT_TRUE(err == 0 || err == EINVAL) << err;
			}
		});
	}
	for (auto &thread : all)
		thread.join();
	ASSERT_EQ(tail, each * threads);
	wait_for(made.queue, tail);
	EXPECT_LT(refused, tail);
}

TEST_F(submit, races_with_destruction)
{
	for (int round = 0; round < 30; round++) {
		const auto made = make_kernel_queue();
		std::thread other([&] {
			int err = 0;

			for (std::uint32_t i = 1; i <= depth && !err; i++)
				err = ring(made.queue, i);
			EXPECT_TRUE(err == 0 || err == ENOENT) << err;
		});
		drm_oac_queue_destroy destroy = { made.queue, 0 };

		EXPECT_EQ(dev()(destroy), 0);
		other.join();
	}
	EXPECT_EQ(dev().info().queues, 0u);
}

/* Where processes get no doorbells: the module parameter says so, or the card cannot promise it. */
class kernel_only : public fenced_test
{
protected:
	void SetUp() override
	{
		fenced_test::SetUp();
		if (!IsSkipped() && has_user_submission())
			GTEST_SKIP() << "doorbells may be mapped here (user_submission=0 to try)";
	}
};

TEST_F(kernel_only, refuses_user_queues_and_serves_others)
{
	auto create = good_queue();

	create.flags = 0;
	EXPECT_EQ(dev()(create), EOPNOTSUPP);
	/* What is wrong anyway stays wrong. */
	create.weight = OAC_WEIGHT_MAX + 1;
	EXPECT_EQ(dev()(create), EINVAL);
	EXPECT_EQ(dev().info().queues, 0u);
	const auto made = make_kernel_queue();
	write_nops(0, 1);
	ASSERT_EQ(ring(made.queue, 1), 0);
	wait_for(made.queue, 1);
	EXPECT_FALSE(mapping(dev(), page, page).is_valid());
}
