// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// QUEUE_FENCE: fences for the rest of Linux. What a wrong field gives is in matrix_queue.cpp.
#include "fenced.hpp"

#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <linux/sync_file.h>

using namespace oac::abi;

class fence : public fenced_test
{
protected:
	/* Held at its first command until the word is 1. */
	drm_oac_queue_create held_queue(std::uint32_t commands) const
	{
		const auto made = make_kernel_queue();

		write_timeline(0, OAC_CMD_WAIT, 1);
		write_nops(1, commands - 1);
		EXPECT_EQ(ring(made.queue, commands), 0);
		return made;
	}

	void destroy(std::uint32_t queue) const
	{
		drm_oac_queue_destroy arg = { queue, 0 };

		EXPECT_EQ(dev()(arg), 0);
	}
};

TEST_F(fence, signals_after_the_completion_and_not_before)
{
	const auto made = held_queue(2);
	const std::uint32_t first = syncobj(), second = syncobj(), now = syncobj();

	ASSERT_EQ(fenced_test::fence(made.queue, 2, second), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 1, first), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 0, now), 0);
	EXPECT_EQ(status(now), 1);
	EXPECT_EQ(syncobj_wait(first, 0), ETIME);
	EXPECT_EQ(syncobj_wait(second, 100), ETIME);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(second), 0);
	EXPECT_EQ(syncobj_wait(first, 0), 0);
	EXPECT_EQ(status(first), 1);
	EXPECT_EQ(status(second), 1);
	wait_for(made.queue, 2);
}

TEST_F(fence, works_on_a_user_queue)
{
	if (!has_user_submission())
		GTEST_SKIP() << "doorbells cannot be mapped";
	const auto made = make_queue();
	const bell bell(dev(), made);
	const std::uint32_t obj = syncobj();

	ASSERT_TRUE(bell.is_valid());
	/* Before the command is there. */
	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj), 0);
	EXPECT_EQ(syncobj_wait(obj, 50), ETIME);
	ASSERT_EQ(submit(bell, 0, OAC_CMD_NOP), 0);
	EXPECT_EQ(syncobj_wait(obj), 0);
}

TEST_F(fence, one_fence_per_command_goes_around_the_ring)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();

	for (std::uint32_t i = 0; i < 3 * depth; i++) {
		write_nops(i, 1);
		ASSERT_EQ(fenced_test::fence(made.queue, i + 1, obj), 0) << i;
		ASSERT_EQ(ring(made.queue, i + 1), 0) << i;
		ASSERT_EQ(syncobj_wait(obj), 0) << i;
	}
}

TEST_F(fence, points_of_a_timeline_signal_in_order)
{
	const auto made = held_queue(3);
	const std::uint32_t obj = syncobj();

	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj, 10), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 3, obj, 30), 0);
	/* Neither again nor behind. */
	for (std::uint64_t point : { 1, 10, 29, 30 })
		EXPECT_EQ(fenced_test::fence(made.queue, 3, obj, point), EINVAL) << point;
	EXPECT_EQ(timeline(obj), 0u);
	EXPECT_EQ(point_wait(obj, 10, 50), ETIME);
	*word() = 1;
	EXPECT_EQ(point_wait(obj, 10), 0);
	EXPECT_EQ(point_wait(obj, 30), 0);
	EXPECT_EQ(timeline(obj), 30u);
	EXPECT_EQ(fenced_test::fence(made.queue, 3, obj, 31), 0);
	EXPECT_EQ(point_wait(obj, 31), 0);
}

TEST_F(fence, sync_file_wakes_poll)
{
	const auto made = held_queue(1);
	const std::uint32_t obj = syncobj();

	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj), 0);
	const node file(sync_file(obj));
	pollfd poll_for = { file.fd(), POLLIN, 0 };
	ASSERT_GE(file.fd(), 0);
	EXPECT_EQ(poll(&poll_for, 1, 50), 0);
	EXPECT_EQ(status(obj), 0);
	*word() = 1;
	EXPECT_EQ(poll(&poll_for, 1, 20000), 1);
	EXPECT_EQ(status(obj), 1);
}

TEST_F(fence, commands_before_the_failure_are_done_and_those_behind_are_not)
{
	const auto made = make_kernel_queue();
	const std::uint32_t good = syncobj(), bad = syncobj(), behind = syncobj(), late = syncobj();
	oac_cmd cmd = {};

	write_timeline(0, OAC_CMD_WAIT, 1);
	cmd.opcode = 0xee;
	write(1, cmd);
	write_nops(2, 1);
	ASSERT_EQ(ring(made.queue, 3), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 1, good), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 2, bad), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 5, behind), 0);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(behind), 0);
	EXPECT_EQ(status(good), 1);
	EXPECT_EQ(status(bad), -ECANCELED);
	EXPECT_EQ(status(behind), -ECANCELED);
	/* Also for those who come when it is over. */
	wait_for(made.queue, 3);
	ASSERT_EQ(fenced_test::fence(made.queue, 3, late), 0);
	EXPECT_EQ(status(late), -ECANCELED);
	ASSERT_EQ(fenced_test::fence(made.queue, 1, late), 0);
	EXPECT_EQ(status(late), 1);
}

TEST_F(fence, is_cancelled_with_its_queue)
{
	const auto made = held_queue(1);
	const std::uint32_t obj = syncobj();

	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj), 0);
	destroy(made.queue);
	EXPECT_EQ(syncobj_wait(obj, 0), 0);
	EXPECT_EQ(status(obj), -ECANCELED);
	EXPECT_EQ(fenced_test::fence(made.queue, 1, obj), ENOENT);
	/* The fence that was there stays when the call fails. */
	EXPECT_EQ(status(obj), -ECANCELED);
}

TEST_F(fence, ends_with_its_deadline)
{
	const auto made = held_queue(1);
	const std::uint32_t obj = syncobj(), longer = syncobj();
	const std::uint64_t start = deadline_ms(0);

	ASSERT_EQ(fenced_test::fence(made.queue, 1, longer), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj, 0, 50000000), 0);
	EXPECT_EQ(status(obj), 0);
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_GE(deadline_ms(0) - start, 50000000u);
	EXPECT_EQ(status(obj), -ETIMEDOUT);
	EXPECT_EQ(status(longer), 0);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(longer), 0);
	EXPECT_EQ(status(longer), 1);
}

TEST_F(fence, signals_when_its_file_is_closed)
{
	std::optional<node> other(std::in_place, ::open(path().c_str(), O_RDWR | O_CLOEXEC));
	drm_oac_queue_create create = good_queue();
	drm_syncobj_handle out = {};
	drm_syncobj_create obj = {};
	drm_oac_map map = {};

	map.context = create.context = other->context();
	map.handle = other->buffer(ring_size);
	map.va = va;
	map.size = ring_size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	ASSERT_EQ((*other)(map), 0);
	create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
	ASSERT_EQ((*other)(create), 0);
	ASSERT_EQ(other->call(DRM_IOCTL_SYNCOBJ_CREATE, &obj), 0);
	drm_oac_queue_fence arg = { create.queue, 1, obj.handle, 0, 0, 0 };
	ASSERT_EQ(other->call(DRM_IOCTL_OAC_QUEUE_FENCE, &arg), 0);
	out.handle = obj.handle;
	out.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	ASSERT_EQ(other->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &out), 0);
	const node held(out.fd);
	pollfd poll_for = { held.fd(), POLLIN, 0 };
	sync_file_info info = {};
	EXPECT_EQ(poll(&poll_for, 1, 20), 0);
	other.reset();
	EXPECT_EQ(poll(&poll_for, 1, 20000), 1);
	ASSERT_EQ(held.call(SYNC_IOC_FILE_INFO, &info), 0);
	EXPECT_EQ(info.status, -ECANCELED);
}

TEST_F(fence, pending_ones_have_a_limit)
{
	constexpr int limit = 4096;
	const auto made = held_queue(1);
	const std::uint32_t obj = syncobj();
	int count = 0, err = 0;

	while (count <= limit && (err = fenced_test::fence(made.queue, 1, obj)) == 0)
		count++;
	EXPECT_EQ(err, EDQUOT);
	EXPECT_EQ(count, limit);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_EQ(fenced_test::fence(made.queue, 1, obj), 0);
}

TEST_F(fence, threads_make_and_wait_at_once)
{
	constexpr std::uint32_t rounds = 50;
	const auto made = make_kernel_queue();

	for (std::uint32_t i = 0; i < rounds; i++) {
		std::vector<std::thread> all;

		write_nops(i, 1);
		for (int t = 0; t < 4; t++) {
			all.emplace_back([&, i] {
				const std::uint32_t obj = syncobj();
				drm_syncobj_destroy done = { obj, 0 };

				EXPECT_EQ(fenced_test::fence(made.queue, i + 1, obj), 0);
				EXPECT_EQ(syncobj_wait(obj), 0);
				EXPECT_EQ(status(obj), 1);
				EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_DESTROY, &done), 0);
			});
		}
		EXPECT_EQ(ring(made.queue, i + 1), 0);
		for (auto &thread : all)
			thread.join();
	}
}
