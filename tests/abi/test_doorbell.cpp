// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include <csignal>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace oac::abi;

class doorbell : public queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (!IsSkipped() && !HasFatalFailure() && !has_user_submission())
			GTEST_SKIP() << "no doorbells here: DRM_OAC_FEATURE_USER_SUBMIT is missing";
	}
};

TEST_F(doorbell, is_one_shared_page_of_the_own_queue)
{
	const node other = open();
	const auto made = make_queue();
	const std::uint64_t offset = made.doorbell_offset;

	EXPECT_TRUE(mapping(dev(), offset, page).is_valid());
	EXPECT_FALSE(mapping(other, offset, page).is_valid());
	EXPECT_EQ(errno, EINVAL);
	EXPECT_FALSE(mapping(dev(), offset, 2 * page).is_valid());
	EXPECT_EQ(errno, EINVAL);
	EXPECT_FALSE(mapping(dev(), offset + page, page).is_valid());
	/* Page 0 is the admin queue's. */
	EXPECT_FALSE(mapping(dev(), 0, page).is_valid());
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, dev().fd(),
		       static_cast<off_t>(offset)),
		  MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
}

TEST_F(doorbell, becomes_a_dummy_when_the_queue_is_destroyed)
{
	const auto made = make_queue();
	const mapping touched(dev(), made.doorbell_offset, page);
	const mapping untouched(dev(), made.doorbell_offset, page);

	ASSERT_TRUE(touched.is_valid() && untouched.is_valid());
	*touched.at<std::uint32_t>(OAC_DB_SQ_TAIL) = 0;
	drm_oac_queue_destroy destroy = { made.queue, 0 };
	ASSERT_EQ(dev()(destroy), 0);
	EXPECT_FALSE(mapping(dev(), made.doorbell_offset, page).is_valid());
	/* Neither SIGBUS nor the next queue's doorbell. */
	const auto next = make_queue();
	EXPECT_EQ(next.doorbell_offset, made.doorbell_offset);
	*touched.at<std::uint32_t>(OAC_DB_SQ_TAIL) = 1000;
	*untouched.at<std::uint32_t>(OAC_DB_SQ_TAIL + 4) = 7;
	EXPECT_EQ(*untouched.at<std::uint32_t>(OAC_DB_SQ_TAIL), 1000u);
	EXPECT_EQ(*touched.at<std::uint32_t>(OAC_DB_SQ_TAIL + 4), 7u);
	drm_oac_queue_wait wait = {};
	wait.queue = next.queue;
	wait.deadline_ns = deadline_ms(50);
	EXPECT_EQ(dev()(wait), ETIMEDOUT);
	EXPECT_EQ(wait.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
}

TEST_F(doorbell, is_not_inherited)
{
	const auto made = make_queue();
	const mapping bell(dev(), made.doorbell_offset, page);
	int status = 0;

	ASSERT_TRUE(bell.is_valid());
	const pid_t child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*bell.at<std::uint32_t>(OAC_DB_SQ_TAIL) = 1;
		_exit(0);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
}

TEST_F(doorbell, outlives_its_file_descriptor)
{
	std::optional<mapping> bell;
	{
		const node other = open();
		const auto create = make_queue_on(other);

		bell.emplace(other, create.doorbell_offset, page);
		ASSERT_TRUE(bell->is_valid());
	}
	*bell->at<std::uint32_t>(OAC_DB_SQ_TAIL) = 0;
	EXPECT_EQ(dev().info().queues, 1u);
	bell.reset();
	EXPECT_EQ(dev().info().queues, 0u);
}
