// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Callers that race for one timeline, and points that come out of order.
#include "fenced.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <sched.h>

using namespace oac::abi;

class race : public fenced_test
{
protected:
	/* The syncobj as another file's handle. */
	std::uint32_t share(const node &with, std::uint32_t syncobj) const
	{
		drm_syncobj_handle arg = {};

		arg.handle = syncobj;
		EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), 0);
		const node fd(arg.fd);
		EXPECT_EQ(with.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &arg), 0);
		return arg.handle;
	}

	/* A queue that runs nothing, on rings of that file. */
	static std::uint32_t idle_queue(const node &on, drm_oac_queue_create create)
	{
		drm_oac_map map = {};

		map.context = create.context = on.context();
		map.handle = on.buffer(ring_size);
		map.va = va;
		map.size = ring_size;
		map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
		EXPECT_EQ(on(map), 0);
		create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
		EXPECT_EQ(on(create), 0);
		return create.queue;
	}

	static int fence_on(const node &on, std::uint32_t queue, std::uint32_t count,
			    std::uint32_t syncobj, std::uint64_t point)
	{
		drm_oac_queue_fence arg = { queue, count, syncobj, 0, point, 0 };

		return on.call(DRM_IOCTL_OAC_QUEUE_FENCE, &arg);
	}
};

/* Two threads on two files, let go by spinning: one gets the point, the other is told. */
TEST_F(race, one_caller_gets_a_point)
{
	constexpr unsigned rounds = 2000, callers = 2;
	const node other = open();
	const std::uint32_t queues[] = { make_kernel_queue().queue,
					 idle_queue(other, good_queue()) };
	const std::uint32_t obj = syncobj();
	const std::uint32_t objs[] = { obj, share(other, obj) };
	std::vector<std::atomic<unsigned>> won(rounds), told(rounds);
	std::atomic<unsigned> arrived = 0;
	std::vector<std::thread> threads;

	for (unsigned i = 0; i < callers; i++)
		threads.emplace_back([&, i] {
			const node &on = i ? other : dev();

			for (unsigned round = 0; round < rounds; round++) {
				arrived++;
				while (arrived < callers * (round + 1))
					sched_yield();
				const int err = fence_on(on, queues[i], 0, objs[i], round + 1);
				won[round] += err == 0;
				told[round] += err == EINVAL;
			}
		});
	for (auto &one : threads)
		one.join();
	for (unsigned round = 0; round < rounds; round++) {
		EXPECT_EQ(won[round], 1u) << round;
		EXPECT_EQ(told[round], callers - 1) << round;
	}
	EXPECT_EQ(point_wait(obj, rounds), 0);
	EXPECT_EQ(timeline(obj), rounds);
}

/* Each takes points of its own; whoever is behind the other's is told, and nothing goes back. */
TEST_F(race, timeline_only_grows)
{
	constexpr std::uint64_t points = 600;
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();
	std::atomic<std::uint64_t> highest = 0;
	std::atomic<bool> is_over = false;
	std::vector<std::thread> threads;

	for (std::uint64_t i = 0; i < 2; i++)
		threads.emplace_back([&, i] {
			for (std::uint64_t point = 1 + i; point <= points; point += 2) {
				const int err = fenced_test::fence(made.queue, 0, obj, point);
				std::uint64_t before = highest;

				EXPECT_TRUE(err == 0 || err == EINVAL) << err;
				while (err == 0 && before < point &&
				       !highest.compare_exchange_weak(before, point)) {}
			}
		});
	std::thread watcher([&] {
		std::uint64_t last = 0;

		while (!is_over) {
			const std::uint64_t now = timeline(obj);
			EXPECT_GE(now, last);
			last = now;
		}
	});
	for (auto &one : threads)
		one.join();
	is_over = true;
	watcher.join();
	EXPECT_EQ(point_wait(obj, highest), 0);
	EXPECT_EQ(timeline(obj), highest);
	EXPECT_EQ(fenced_test::fence(made.queue, 0, obj, highest), EINVAL);
}

/* The program's own point behind a pending one: nothing is reached before that. */
TEST_F(race, lower_point_behind_a_pending_one_waits_for_it)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();

	write_timeline(0, OAC_CMD_WAIT, 1);
	ASSERT_EQ(ring(made.queue, 1), 0);
	ASSERT_EQ(fenced_test::fence(made.queue, 1, obj, 30), 0);
	ASSERT_EQ(point_signal(obj, 10), 0);
	EXPECT_EQ(point_wait(obj, 10, 50), ETIME);
	EXPECT_EQ(point_wait(obj, 30, 0), ETIME);
	EXPECT_EQ(timeline(obj), 0u);
	EXPECT_EQ(fenced_test::fence(made.queue, 1, obj, 20), EINVAL);
	EXPECT_EQ(fenced_test::fence(made.queue, 1, obj, 30), EINVAL);
	*word() = 1;
	EXPECT_EQ(point_wait(obj, 10), 0);
	EXPECT_EQ(point_wait(obj, 30), 0);
	EXPECT_EQ(timeline(obj), 30u);
	EXPECT_EQ(fenced_test::fence(made.queue, 1, obj, 31), 0);
	EXPECT_EQ(point_wait(obj, 31), 0);
}

TEST_F(race, lower_point_behind_a_reached_one_changes_nothing)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();

	ASSERT_EQ(fenced_test::fence(made.queue, 0, obj, 30), 0);
	ASSERT_EQ(point_wait(obj, 30), 0);
	ASSERT_EQ(point_signal(obj, 10), 0);
	EXPECT_EQ(timeline(obj), 30u);
	EXPECT_EQ(point_wait(obj, 30, 0), 0);
	EXPECT_EQ(point_wait(obj, 10, 0), 0);
	EXPECT_EQ(fenced_test::fence(made.queue, 0, obj, 30), EINVAL);
	EXPECT_EQ(fenced_test::fence(made.queue, 0, obj, 40), 0);
	EXPECT_EQ(point_wait(obj, 40), 0);
}

/* DRM's own signal takes no part in the order, but must not break anything either. */
TEST_F(race, program_and_driver_add_points_at_once)
{
	constexpr std::uint64_t points = 400;
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();
	std::vector<std::thread> threads;

	threads.emplace_back([&] {
		for (std::uint64_t point = 1; point <= points; point++)
			EXPECT_EQ(point_signal(obj, point), 0);
	});
	threads.emplace_back([&] {
		for (std::uint64_t point = 1; point <= points; point++) {
			const int err = fenced_test::fence(made.queue, 0, obj, point);
			EXPECT_TRUE(err == 0 || err == EINVAL) << err;
		}
	});
	for (auto &one : threads)
		one.join();
	EXPECT_EQ(point_wait(obj, points), 0);
	EXPECT_EQ(timeline(obj), points);
}
