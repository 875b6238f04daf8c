// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// QUEUE_WAIT and QUEUE_EVENTFD.
#include "device.hpp"

#include "../support/asleep.hpp"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

using namespace oac::abi;

class wait : public queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		made_ = make_queue();
		bell_.emplace(dev(), made_);
		ASSERT_TRUE(bell_->is_valid());
	}

	drm_oac_queue_wait good(std::uint32_t seen, std::uint64_t deadline_ns) const
	{
		drm_oac_queue_wait arg = {};

		arg.queue = made_.queue;
		arg.seen = seen;
		arg.deadline_ns = deadline_ns;
		return arg;
	}

	drm_oac_queue_create made_ = {};
	std::optional<bell> bell_;
};

TEST_F(wait, refuses_queues_that_are_not_there)
{
	const node other = open();
	auto arg = good(0, 0);

	for (std::uint32_t id : { 0u, made_.queue + 1, u32_max }) {
		arg = good(0, 0);
		arg.queue = id;
		EXPECT_EQ(dev()(arg), ENOENT) << id;
	}
	arg = good(0, 0);
	EXPECT_EQ(other(arg), ENOENT);
}

TEST_F(wait, just_looks_with_deadline_zero_or_past)
{
	for (std::uint64_t deadline : { std::uint64_t{ 0 }, std::uint64_t{ 1 }, deadline_ms(0) }) {
		auto arg = good(0, deadline);

		arg.completed = arg.state = 77;
		EXPECT_EQ(dev()(arg), ETIMEDOUT);
		EXPECT_EQ(arg.completed, 0u);
		EXPECT_EQ(arg.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
	}
	auto other_count = good(5, u64_max);
	EXPECT_EQ(dev()(other_count), 0);
}

TEST_F(wait, ends_with_the_completion)
{
	for (std::uint32_t i = 0; i < 40; i++) {
		auto arg = good(i, deadline_ms(20000));

		EXPECT_EQ(submit(*bell_, i, OAC_CMD_NOP), 0);
		ASSERT_EQ(dev()(arg), 0) << i;
		ASSERT_EQ(arg.completed, i + 1);
	}
}

TEST_F(wait, asleep_is_woken_by_the_completion)
{
	auto arg = good(0, deadline_ms(20000));
	std::thread later([&, waiter = gettid()] {
		EXPECT_TRUE(support::wait_until_asleep(waiter));
		EXPECT_EQ(submit(*bell_, 0, OAC_CMD_NOP), 0);
	});

	EXPECT_EQ(dev()(arg), 0);
	later.join();
	EXPECT_EQ(arg.completed, 1u);
	/* Long before the deadline, and before the driver's own look at the card. */
}

TEST_F(wait, tells_the_failure)
{
	auto arg = good(u32_max, deadline_ms(20000));

	arg.seen = 0;
	EXPECT_EQ(submit(*bell_, 0, 0xee), 0);
	EXPECT_EQ(dev()(arg), 0);
	EXPECT_EQ(arg.completed, 1u);
	arg = good(arg.completed, deadline_ms(20000));
	EXPECT_EQ(dev()(arg), 0);
	EXPECT_EQ(arg.state, static_cast<std::uint32_t>(OAC_QUEUE_ERROR));
	EXPECT_EQ(arg.status, static_cast<std::uint32_t>(OAC_ST_BAD_OPCODE));
}

TEST_F(wait, signal_interrupts_and_the_out_fields_are_set)
{
	struct sigaction action = {}, before = {};
	itimerval timer = {};
	auto arg = good(0, deadline_ms(20000));

	action.sa_handler = [](int) {};
	sigaction(SIGALRM, &action, &before);
	timer.it_value.tv_usec = 100000;
	setitimer(ITIMER_REAL, &timer, nullptr);
	arg.completed = 77;
	EXPECT_EQ(dev()(arg), EINTR);
	EXPECT_EQ(arg.completed, 0u);
	/* With SA_RESTART the kernel goes on by itself, to the same deadline. */
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, nullptr);
	setitimer(ITIMER_REAL, &timer, nullptr);
	arg = good(0, deadline_ms(500));
	EXPECT_EQ(dev()(arg), ETIMEDOUT);
	EXPECT_GE(deadline_ms(0), arg.deadline_ns);
	sigaction(SIGALRM, &before, nullptr);
}

TEST_F(wait, ends_when_the_queue_is_destroyed)
{
	auto arg = good(0, deadline_ms(20000));
	std::thread later([&, waiter = gettid()] {
		drm_oac_queue_destroy destroy = { made_.queue, 0 };

		EXPECT_TRUE(support::wait_until_asleep(waiter));
		EXPECT_EQ(dev()(destroy), 0);
	});

	EXPECT_EQ(dev()(arg), ENOENT);
	later.join();
}

TEST_F(wait, eventfd_refuses_what_is_none)
{
	const node other = open();
	const node null(::open("/dev/null", O_RDWR | O_CLOEXEC));
	const node event(eventfd(0, EFD_CLOEXEC));
	drm_oac_queue_eventfd arg = { made_.queue, 1 << 20 };

	EXPECT_EQ(dev()(arg), EBADF);
	arg.fd = -2;
	EXPECT_EQ(dev()(arg), EBADF);
	arg.fd = null.fd();
	EXPECT_EQ(dev()(arg), EINVAL);
	arg.fd = event.fd();
	EXPECT_EQ(other(arg), ENOENT);
	for (std::uint32_t id : { 0u, made_.queue + 1, u32_max }) {
		arg.queue = id;
		EXPECT_EQ(dev()(arg), ENOENT);
	}
	arg = { made_.queue, -1 };
	EXPECT_EQ(dev()(arg), 0);
}

TEST_F(wait, eventfd_is_signalled_by_an_armed_interrupt)
{
	const node event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	drm_oac_queue_eventfd arg = { made_.queue, event.fd() };
	pollfd poll_for = { event.fd(), POLLIN, 0 };
	std::uint64_t count = 0;

	ASSERT_EQ(dev()(arg), 0);
	ASSERT_EQ(dev()(arg), 0);
	EXPECT_EQ(submit(*bell_, 0, OAC_CMD_NOP), 0);
	/* Nothing seen yet. */
	ASSERT_EQ(bell_->arm(0), 0);
	ASSERT_EQ(poll(&poll_for, 1, 20000), 1);
	EXPECT_EQ(read(event.fd(), &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
	EXPECT_GE(count, 1u);
	arg.fd = -1;
	ASSERT_EQ(dev()(arg), 0);
	/* It may have been signalled once more: vectors are shared, and the watchdog wakes, too. */
	(void)!read(event.fd(), &count, sizeof(count));
	ASSERT_EQ(bell_->arm(0), 0);
	EXPECT_EQ(poll(&poll_for, 1, 200), 0);
}
