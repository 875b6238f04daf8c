// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// fork(): handles stay with the parent, whatever the child does with them, and do not live on by the
// child; the child has cards of its own.
#include "fixture.hpp"

#include <cerrno>
#include <functional>

#include <sys/wait.h>
#include <unistd.h>

#include "emulator_process.hpp"

namespace
{

/// A lock that a card's thread holds in GCC 12's allocator for ASan stays locked in the child.
#ifdef __SANITIZE_ADDRESS__
constexpr bool allocator_forks = false;
#else
constexpr bool allocator_forks = true;
#endif

class fork_test : public api::queue_test
{
protected:
	/// Runs work in a child, which must return 0 within a minute; else it is the number of the failed step.
	static void in_child(const std::function<int()> &work)
	{
		const pid_t child = start_child(work);
		ASSERT_GT(child, 0);
		wait_for(child);
	}
	static pid_t start_child(const std::function<int()> &work)
	{
		const pid_t child = fork();
		if (child == 0) {
			alarm(60);
			_exit(work());
		}
		return child;
	}
	static void wait_for(pid_t child)
	{
		int status = 0;
		ASSERT_EQ(waitpid(child, &status, 0), child);
		ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
		EXPECT_EQ(WEXITSTATUS(status), 0) << "the step that failed";
	}
	/// What a child does with a card that is not its parent's; 0: all that it should.
	static int use_card(const std::string &name)
	{
		try {
			accel::device own(name);
			api::expect_works(own);
			return testing::Test::HasFailure() ? 2 : 0;
		} catch (const std::exception &error) {
			std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
			return 1;
		}
	}
	/// A card behind a socket has one client.
	static bool is_socket(const std::string &name) { return name.starts_with("socket:"); }
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

TEST_F(fork_test, buffers_are_not_there_in_the_child)
{
	const void *host = memory().buffer().bytes().data();
	in_child([&] {
		int ends[2];
		if (pipe(ends) != 0)
			return 1;
		/* The kernel looks, so that nobody gets a signal. */
		if (write(ends[1], host, 1) != -1 || errno != EFAULT)
			return 2;
		return write(ends[1], ends, 1) == 1 ? 0 : 3;
	});
	expect_parent_works();
}

TEST_F(fork_test, child_opens_another_card)
{
	if (!allocator_forks)
		GTEST_SKIP()
			<< "AddressSanitizer's allocator does not survive fork() beside threads";
	const auto names = api::card_names();
	std::optional<api::emulator_process> server;
	std::string name = names.size() < 2 ? names.at(0) : names[1];
	if (is_socket(name) && names.size() < 2) {
		server.emplace();
		if (!server->is_there())
			GTEST_SKIP() << "there is one card, and it has its one client";
		name = "socket:" + server->socket();
	}
	in_child([&] { return use_card(name); });
	expect_parent_works();
}

/// The kernel's is shared; in-process the child starts one of its own; a socket's is the parent's.
TEST_F(fork_test, child_opens_the_card_that_the_parent_has)
{
	if (!allocator_forks)
		GTEST_SKIP()
			<< "AddressSanitizer's allocator does not survive fork() beside threads";
	const std::string name = api::card_names().at(0);
	const pid_t parent = getpid();
	in_child([&] {
		if (!is_socket(name))
			return use_card(name);
		accel_device *own = nullptr;
		if (accel_device_open(name.c_str(), &own) != -EBUSY)
			return 3;
		const std::string holder = "process " + std::to_string(parent);
		return std::string(accel_error_text()).find(holder) != std::string::npos ? 0 : 4;
	});
	expect_parent_works();
}

TEST_F(fork_test, the_card_is_free_when_the_parent_lets_go)
{
	const std::string name = api::card_names().at(0);
	int gate[2];
	ASSERT_EQ(pipe(gate), 0);
	const pid_t child = start_child([&] {
		char byte;
		close(gate[1]);
		return read(gate[0], &byte, 1) == 0 ? 0 : 1;
	});
	ASSERT_GT(child, 0);
	queue_.reset();
	memory_.reset();
	context_.reset();
	EXPECT_EQ(device().close(), 0) << accel_error_text();
	EXPECT_EQ(use_card(name), 0) << "the child, which is still there, must not hold it";
	close(gate[1]);
	close(gate[0]);
	wait_for(child);
}

} // namespace
