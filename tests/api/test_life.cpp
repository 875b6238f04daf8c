// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Calls and the rest of a thread's life: cancellation and signals.
#include "fixture.hpp"

#include <atomic>
#include <csignal>

#include <pthread.h>
#include <unistd.h>

#include "../support/asleep.hpp"

namespace
{

class life_test : public api::queue_test
{};

struct waiter {
	accel_queue *queue;
	std::atomic<pid_t> thread{ 0 };
	int result = 0;
	bool went_on = false;
};

void *wait_and_go_on(void *argument)
{
	auto &self = *static_cast<waiter *>(argument);
	accel_completion done{};
	self.thread = gettid();
	self.thread.notify_one();
	self.result = accel_queue_wait(self.queue, &done, 1, ACCEL_TIMEOUT_DEFAULT);
	pthread_testcancel();
	self.went_on = true;
	return nullptr;
}

TEST_F(life_test, cancel_acts_after_the_wait)
{
	accel::timeline gate(context());
	waiter self{ queue().get() };
	pthread_t thread;
	ASSERT_EQ(queue().try_wait(gate, 1, 1), 0);
	ASSERT_EQ(queue().submit(), 0);
	ASSERT_EQ(pthread_create(&thread, nullptr, wait_and_go_on, &self), 0);
	self.thread.wait(0);
	EXPECT_TRUE(support::wait_until_asleep(self.thread));
	EXPECT_EQ(pthread_cancel(thread), 0);
	EXPECT_EQ(gate.signal(1), 0);
	void *ended = nullptr;
	EXPECT_EQ(pthread_join(thread, &ended), 0);
	EXPECT_EQ(ended, PTHREAD_CANCELED);
	EXPECT_EQ(self.result, 1);
	EXPECT_FALSE(self.went_on);
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
}

std::atomic<unsigned> signals{ 0 };

TEST_F(life_test, signals_do_not_end_a_wait)
{
	struct sigaction action {
	}, before{};
	action.sa_handler = [](int) { signals++; };	// without SA_RESTART
	ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
	accel::timeline gate(context());
	waiter self{ queue().get() };
	pthread_t thread;
	ASSERT_EQ(queue().try_wait(gate, 1, 1), 0);
	ASSERT_EQ(queue().submit(), 0);
	ASSERT_EQ(pthread_create(&thread, nullptr, wait_and_go_on, &self), 0);
	self.thread.wait(0);
	for (unsigned i = 1; i <= 50; i++) {
		EXPECT_TRUE(support::wait_until_asleep(self.thread));
		ASSERT_EQ(pthread_kill(thread, SIGUSR1), 0);
		while (signals < i)
			sched_yield();
	}
	EXPECT_TRUE(support::wait_until_asleep(self.thread));
	EXPECT_EQ(gate.signal(1), 0);
	EXPECT_EQ(pthread_join(thread, nullptr), 0);
	EXPECT_EQ(self.result, 1);
	sigaction(SIGUSR1, &before, nullptr);
}

} // namespace
