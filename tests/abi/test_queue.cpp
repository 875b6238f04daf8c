// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include "../support/without_capability.hpp"

using namespace oac::abi;

class queue : public queue_test
{
protected:
	template <typename Change>
	int with(Change change) const
	{
		drm_oac_queue_create arg = good_queue();

		change(arg);
		return dev()(arg);
	}

	/* -1: leaves the queue there. */
	int destroy(std::uint32_t id, const node *on = nullptr) const
	{
		drm_oac_queue_destroy arg = { id, 0 };

		return (on ? *on : dev())(arg);
	}
};

TEST_F(queue, refuses_one_wrong_field_at_a_time)
{
	const std::uint32_t too_deep = dev().info().max_depth_log2 + 1;

	for (std::uint32_t id : { 0u, context_ + 1, u32_max })
		EXPECT_EQ(with([&](auto &q) { q.context = id; }), ENOENT) << "context " << id;
	for (std::uint32_t depth : { 0u, too_deep, 31u, 32u, 64u, u32_max })
		EXPECT_EQ(with([&](auto &q) { q.depth_log2 = depth; }), EINVAL)
			<< "depth " << depth;
	for (std::uint64_t at :
	     { std::uint64_t{ 0 }, sq_va + 8, va + ring_size, va - page, u64_max - 63, u64_max }) {
		EXPECT_EQ(with([&](auto &q) { q.sq_va = at; }), EINVAL) << "sq_va " << at;
		EXPECT_EQ(with([&](auto &q) { q.cq_va = at; }), EINVAL) << "cq_va " << at;
		EXPECT_EQ(with([&](auto &q) { q.tail_va = at; }), EINVAL) << "tail_va " << at;
	}
	/* Begins in the map and ends behind it. */
	EXPECT_EQ(with([](auto &q) { q.sq_va = va + ring_size - 64; }), EINVAL);
	EXPECT_EQ(with([](auto &q) { q.cq_va = va + ring_size - 64; }), EINVAL);
	for (std::uint32_t priority : { OAC_PRIORITY_MAX + 1u, 256u, u32_max })
		EXPECT_EQ(with([&](auto &q) { q.priority = priority; }), EINVAL) << priority;
	for (std::uint32_t flags : { 2u, 3u, u32_max })
		EXPECT_EQ(with([&](auto &q) { q.flags = flags; }), EINVAL) << "flags " << flags;
	EXPECT_EQ(with([](auto &q) { q.pad = 1; }), EINVAL);
	EXPECT_EQ(dev().info().queues, 0u);
	EXPECT_EQ(with([](auto &) {}), 0);
}

TEST_F(queue, rings_need_the_right_access)
{
	drm_oac_map map = {};

	map.context = context_;
	map.handle = handle_;
	map.size = ring_size;
	map.va = va + 0x100000;
	map.flags = DRM_OAC_MAP_READ;
	ASSERT_EQ(dev()(map), 0);
	EXPECT_EQ(with([&](auto &q) { q.cq_va = map.va + page; }), EINVAL);
	EXPECT_EQ(with([&](auto &q) { q.tail_va = map.va; }), EINVAL);
	EXPECT_EQ(with([&](auto &q) { q.sq_va = map.va; }), 0);
	map.va += 0x100000;
	map.flags = DRM_OAC_MAP_WRITE;
	ASSERT_EQ(dev()(map), 0);
	EXPECT_EQ(with([&](auto &q) { q.sq_va = map.va; }), EINVAL);
}

TEST_F(queue, high_priority_is_a_privilege)
{
	{
		const support::without_capability nice(CAP_SYS_NICE);

		EXPECT_EQ(with([](auto &q) { q.priority = OAC_PRIORITY_NORMAL; }), 0);
		EXPECT_EQ(with([](auto &q) { q.priority = OAC_PRIORITY_NORMAL + 1; }), EPERM);
		EXPECT_EQ(with([](auto &q) { q.priority = OAC_PRIORITY_MAX; }), EPERM);
	}
	if (geteuid() == 0) {
		EXPECT_EQ(with([](auto &q) { q.priority = OAC_PRIORITY_MAX; }), 0);
	}
}

TEST_F(queue, destroy_refuses_what_is_not_there)
{
	const node other = open();
	const auto made = make_queue();
	drm_oac_queue_destroy padded = { made.queue, 1 };

	EXPECT_EQ(dev()(padded), EINVAL);
	for (std::uint32_t id : { 0u, made.queue + 1, 0x7fffffffu, u32_max })
		EXPECT_EQ(destroy(id), ENOENT) << id;
	EXPECT_EQ(destroy(made.queue, &other), ENOENT);
	EXPECT_EQ(destroy(made.queue), 0);
	EXPECT_EQ(destroy(made.queue), ENOENT);
}

TEST_F(queue, goes_with_its_context)
{
	const auto first = make_queue();
	const auto second = make_queue();
	drm_oac_context_destroy gone = { context_, 0 };

	EXPECT_EQ(dev().info().queues, 2u);
	EXPECT_EQ(dev()(gone), 0);
	EXPECT_EQ(dev().info().queues, 0u);
	EXPECT_EQ(destroy(first.queue), ENOENT);
	EXPECT_EQ(destroy(second.queue), ENOENT);
}

TEST_F(queue, runs_out_at_the_cards_limit)
{
	const std::uint32_t most = dev().info().max_queues;
	drm_oac_queue_create create = good_queue();
	std::uint32_t count = 0;
	int err = 0;

	while ((err = dev()(create)) == 0)
		count++;
	EXPECT_EQ(err, ENOSPC);
	EXPECT_EQ(count, most);
}
