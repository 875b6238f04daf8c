// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// fork(): handles stay with the parent, whatever the child does with them; the child has cards of
// its own.
#include "fixture.hpp"

#include <functional>

#include <sys/wait.h>
#include <unistd.h>

namespace
{

class fork_test : public api::queue_test
{
protected:
	/// Runs work in a child, which must return 0 within a minute; else it is the number of the failed step.
	static void in_child(const std::function<int()> &work)
	{
		const pid_t child = fork();
		ASSERT_GE(child, 0);
		if (child == 0) {
			alarm(60);
			_exit(work());
		}
		int status = 0;
		ASSERT_EQ(waitpid(child, &status, 0), child);
		ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
		EXPECT_EQ(WEXITSTATUS(status), 0) << "the step that failed";
	}
	void expect_parent_works()
	{
		EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
		api::expect_works(device());
	}
};

TEST_F(fork_test, calls_in_the_child_are_enodev)
{
	accel::timeline timeline(context());
	expect_parent_works();
	in_child([&] {
		accel_completion done{};
		accel_queue *made = nullptr;
		std::uint64_t value = 0;
		int fd = -1;
		const int results[] = {
			accel_queue_nop(queue().get(), 1),
			accel_queue_submit(queue().get()),
			accel_queue_reap(queue().get(), &done, 1),
			accel_queue_wait(queue().get(), &done, 1, 1'000'000),
			accel_queue_arm(queue().get()),
			accel_queue_fd(queue().get(), &fd),
			accel_queue_signal(queue().get(), timeline.get(), 1, 1),
			accel_queue_create(context().get(), 16, 1, &made),
			accel_timeline_signal(timeline.get(), 1),
			accel_timeline_wait(timeline.get(), 1, 1'000'000),
			accel_buffer_map(context().get(), memory().buffer().get(), 0, 0,
					 ACCEL_MAP_READ, &value),
			accel_device_number(device().get(), ACCEL_NUMBER_QUEUES, &value),
			accel_context_destroy(context().get()),
			accel_buffer_free(memory().buffer().get()),
			accel_device_close(device().get()),
		};
		for (std::size_t i = 0; i < std::size(results); i++)
			if (results[i] != -ENODEV)
				return static_cast<int>(i + 1);
		return accel_timeline_value(timeline.get()) == 0 ? 0 : 100;
	});
	expect_parent_works();
}

TEST_F(fork_test, destroying_in_the_child_leaves_the_parent_alone)
{
	accel::timeline timeline(context());
	ASSERT_EQ(queue().try_wait(timeline, 1, 7), 0);
	ASSERT_EQ(queue().submit(), 0);
	in_child([&] {
		accel_queue_destroy(queue().get());
		accel_timeline_destroy(timeline.get());
		accel_context_destroy(context().get());
		accel_buffer_free(memory().buffer().get());
		accel_device_close(device().get());
		return 0;
	});
	EXPECT_EQ(timeline.signal(1), 0) << accel_error_text();
	EXPECT_EQ(api::collect(queue(), 1).at(0).tag, 7u);
	expect_parent_works();
}

TEST_F(fork_test, child_opens_a_card_of_its_own)
{
	const auto names = api::card_names();
	const std::string name = on_kernel() || names.size() < 2 ? names.at(0) : names[1];
	if (!on_kernel() && name.starts_with("socket:") && names.size() < 2)
		GTEST_SKIP() << "the one card has its one client";
	in_child([&] {
		try {
			accel::device own(name);
			api::expect_works(own);
			return testing::Test::HasFailure() ? 2 : 0;
		} catch (const std::exception &error) {
			std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
			return 1;
		}
	});
	expect_parent_works();
}

} // namespace
