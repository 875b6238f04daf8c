// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// SYNC_STORE: a fence raises a word that the card waits for. What a wrong field gives is in
// matrix_queue.cpp.
#include "fenced.hpp"

#include <thread>

using namespace oac::abi;

class store : public fenced_test
{
protected:
	/* On the second word of the page: the first holds the queue. */
	static constexpr std::uint64_t target_offset = word_offset + 64;

	volatile std::uint64_t *target() const { return rings_->at<std::uint64_t>(target_offset); }

	/* A fence shows as signalled a moment before its callbacks have run. */
	bool becomes(const volatile std::uint64_t *at, std::uint64_t value) const
	{
		const std::uint64_t end = deadline_ms(20000);

		while (*at != value && deadline_ms(0) < end)
			std::this_thread::yield();
		return *at == value;
	}

	/* A syncobj whose fence waits for the word to become 1. */
	std::uint32_t pending(std::uint32_t *queue) const
	{
		const auto made = make_kernel_queue();
		const std::uint32_t obj = syncobj();

		write_timeline(0, OAC_CMD_WAIT, 1);
		EXPECT_EQ(ring(made.queue, 1), 0);
		EXPECT_EQ(fence(made.queue, 1, obj), 0);
		*queue = made.queue;
		return obj;
	}

	std::uint32_t signalled() const
	{
		drm_syncobj_create create = {};

		create.flags = DRM_SYNCOBJ_CREATE_SIGNALED;
		EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
		return create.handle;
	}
};

TEST_F(store, happens_at_once_when_the_fence_has_signalled)
{
	const std::uint32_t obj = signalled();

	*target() = 5;
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	EXPECT_EQ(*target(), 7u);
	/* Never down. */
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 6), 0);
	EXPECT_EQ(*target(), 7u);
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, u64_max), 0);
	EXPECT_EQ(*target(), u64_max);
}

TEST_F(store, happens_when_the_fence_signals)
{
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue);

	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	EXPECT_EQ(syncobj_wait(obj, 50), ETIME);
	EXPECT_EQ(*target(), 0u);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_TRUE(becomes(target(), 7)) << *target();
}

/* Two queues: the end of one is the start of the other, with no program in between. */
TEST_F(store, lets_a_card_wait_for_a_fence)
{
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue), end = syncobj();
	drm_oac_queue_create other = good_queue();
	oac_cmd cmd = {};

	/* Its rings follow the first one's, in the same pages. */
	other.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
	other.sq_va = sq_va + depth * sizeof(oac_cmd);
	other.cq_va = cq_va + depth * sizeof(oac_completion);
	other.tail_va = tail_va + sizeof(oac_cq_tail);
	ASSERT_EQ(dev()(other), 0);
	cmd.opcode = OAC_CMD_WAIT;
	cmd.body.timeline.va = va + target_offset;
	cmd.body.timeline.value = 7;
	volatile unsigned char *slot = rings_->at<unsigned char>(depth * sizeof(oac_cmd));
	for (std::size_t i = 0; i < sizeof(cmd); i++)
		slot[i] = reinterpret_cast<const unsigned char *>(&cmd)[i];
	ASSERT_EQ(ring(other.queue, 1), 0);
	ASSERT_EQ(fence(other.queue, 1, end), 0);
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	EXPECT_EQ(syncobj_wait(end, 50), ETIME);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(end), 0);
	EXPECT_EQ(status(end), 1);
}

TEST_F(store, does_not_happen_when_the_fence_fails)
{
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue);
	drm_oac_queue_destroy destroy = { 0, 0 };

	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	destroy.queue = queue;
	ASSERT_EQ(dev()(destroy), 0);
	ASSERT_EQ(status(obj), -ECANCELED);
	EXPECT_EQ(*target(), 0u);
	/* Nor later. */
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	EXPECT_EQ(*target(), 0u);
}

TEST_F(store, knows_the_error_of_a_timelines_point)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj();
	drm_oac_queue_destroy destroy = { made.queue, 0 };

	ASSERT_EQ(fence(made.queue, 0, obj, 1), 0);
	ASSERT_EQ(fence(made.queue, 1, obj, 2), 0);
	EXPECT_EQ(fenced_test::store(obj, handle_, target_offset, 9, 3), EINVAL);
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 5, 1), 0);
	EXPECT_EQ(*target(), 5u);
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7, 2), 0);
	ASSERT_EQ(dev()(destroy), 0);
	EXPECT_EQ(point_wait(obj, 2), 0);
	EXPECT_EQ(*target(), 5u);
}

TEST_F(store, outlives_the_buffers_handle)
{
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue);
	std::uint64_t offset = 0;
	drm_gem_close close = { dev().buffer(page, &offset), 0 };
	const mapping seen(dev(), offset, page);

	ASSERT_TRUE(seen.is_valid());
	ASSERT_EQ(fenced_test::store(obj, close.handle, 8, 7), 0);
	ASSERT_EQ(dev()(close), 0);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_TRUE(becomes(seen.at<std::uint64_t>(8), 7));
}

TEST_F(store, closing_the_file_takes_back_what_has_not_happened)
{
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue);
	drm_syncobj_handle pass = {}, in = {};
	drm_prime_handle memory = {}, memory_in = {};
	drm_oac_sync_store arg = {};

	pass.handle = obj;
	ASSERT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &pass), 0);
	const node carrier(pass.fd);
	memory.handle = handle_;
	ASSERT_EQ(dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &memory), 0);
	const node memory_carrier(memory.fd);
	{
		const node other = open();

		in.fd = carrier.fd();
		ASSERT_EQ(other.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &in), 0);
		memory_in.fd = memory_carrier.fd();
		ASSERT_EQ(other.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &memory_in), 0);
		arg.syncobj = in.handle;
		arg.handle = memory_in.handle;
		arg.offset = target_offset;
		arg.value = 9;
		ASSERT_EQ(other.call(DRM_IOCTL_OAC_SYNC_STORE, &arg), 0);
	}
	/* Ours is younger, so it happens behind where the other's would have. */
	ASSERT_EQ(fenced_test::store(obj, handle_, target_offset, 7), 0);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_TRUE(becomes(target(), 7)) << *target();
}

TEST_F(store, outstanding_ones_have_a_limit)
{
	constexpr int limit = 4096;
	std::uint32_t queue = 0;
	const std::uint32_t obj = pending(&queue);
	int count = 0, err = 0;

	while (count <= limit &&
	       (err = fenced_test::store(obj, handle_, target_offset, 1u + count)) == 0)
		count++;
	EXPECT_EQ(err, EDQUOT);
	EXPECT_EQ(count, limit);
	*word() = 1;
	EXPECT_EQ(syncobj_wait(obj), 0);
	EXPECT_TRUE(becomes(target(), limit)) << *target();
}
