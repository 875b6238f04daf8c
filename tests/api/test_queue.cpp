// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Queues: depth, order, wrap-around, every way of waiting, and errors that stick to one queue.
#include "fixture.hpp"

#include "../support/asleep.hpp"

#include <chrono>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace
{

using namespace std::chrono_literals;

class queue_test : public api::queue_test
{
protected:
	/// A command behind a wait that only the host's signal ends.
	void hold(accel::timeline &gate)
	{
		ASSERT_EQ(queue().try_wait(gate, 1, 100), 0);
		ASSERT_EQ(queue().try_nop(101), 0);
		ASSERT_EQ(queue().submit(), 0);
	}

	/// Takes an event of the armed fd, if one comes in time.
	bool take_event(int milliseconds)
	{
		pollfd waiter = { queue().fd(), POLLIN, 0 };
		std::uint64_t interrupts = 0;
		return ::poll(&waiter, 1, milliseconds) == 1 &&
		       ::read(waiter.fd, &interrupts, sizeof(interrupts)) == sizeof(interrupts);
	}

	/// A fill of an address that is not mapped anywhere.
	int write_fault(accel::queue &to, std::uint32_t tag)
	{
		return to.try_fill(0x7fff'0000'0000, 8, 0u, tag);
	}
};

TEST_F(queue_test, wrong_depths_and_priorities_are_einval)
{
	accel_queue *raw = nullptr;
	auto most = static_cast<unsigned>(number(ACCEL_NUMBER_MAX_QUEUE_DEPTH));
	for (unsigned depth : { 1u, 3u, 100u, most + 1, most * 2, UINT32_MAX, 1u << 31 })
		EXPECT_EQ(accel_queue_create(context().get(), depth, 1, &raw), -EINVAL) << depth;
	EXPECT_EQ(accel_queue_create(context().get(), 64, 4, &raw), -EINVAL);
	EXPECT_EQ(accel_queue_create(context().get(), 64, UINT32_MAX, &raw), -EINVAL);
	EXPECT_EQ(accel_queue_create(nullptr, 64, 1, &raw), -EINVAL);
	EXPECT_EQ(accel_queue_create(context().get(), 64, 1, nullptr), -EINVAL);
	EXPECT_EQ(raw, nullptr);
}

TEST_F(queue_test, every_priority_works_or_is_eperm)
{
	for (unsigned priority = 0; priority < 4; priority++) {
		accel_queue *raw = nullptr;
		int result = accel_queue_create(context().get(), 4, priority, &raw);
		if (result == -EPERM && priority > 1)
			continue;
		ASSERT_EQ(result, 0) << priority << ": " << accel_error_text();
		accel_queue_nop(raw, 7);
		EXPECT_EQ(accel_queue_submit(raw), 0);
		accel_completion done{};
		EXPECT_EQ(accel_queue_wait(raw, &done, 1, ACCEL_TIMEOUT_DEFAULT), 1);
		EXPECT_EQ(done.tag, 7u);
		accel_queue_destroy(raw);
	}
}

TEST_F(queue_test, completions_come_in_order_with_their_tags)
{
	for (std::uint32_t tag : { 0u, 1u, 77u, UINT32_MAX - 1 })
		ASSERT_EQ(queue().try_nop(tag), 0);
	EXPECT_EQ(queue().outstanding(), 4u);
	ASSERT_EQ(queue().submit(), 0);
	auto done = api::collect(queue(), 4);
	ASSERT_EQ(done.size(), 4u);
	EXPECT_EQ(done[0].tag, 0u);
	EXPECT_EQ(done[1].tag, 1u);
	EXPECT_EQ(done[2].tag, 77u);
	EXPECT_EQ(done[3].tag, UINT32_MAX - 1);
	for (const auto &one : done)
		EXPECT_DONE(one);
	EXPECT_EQ(queue().outstanding(), 0u);
}

TEST_F(queue_test, arguments_are_checked)
{
	accel_completion done{};
	EXPECT_EQ(accel_queue_nop(queue().get(), UINT32_MAX), -EINVAL);
	EXPECT_EQ(accel_queue_fill(queue().get(), memory().address(), 8, 0, 3, 1), -EINVAL);
	EXPECT_EQ(accel_queue_gemm(queue().get(), nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_queue_signal(queue().get(), nullptr, 1, 1), -EINVAL);
	EXPECT_EQ(accel_queue_reap(queue().get(), nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_queue_reap(queue().get(), &done, 0), -EINVAL);
	EXPECT_EQ(accel_queue_reap(queue().get(), &done, -1), -EINVAL);
	EXPECT_EQ(accel_queue_wait(queue().get(), &done, 0, 0), -EINVAL);
	EXPECT_EQ(accel_queue_wait(queue().get(), &done, 1, -2), -EINVAL);
	EXPECT_EQ(accel_queue_nop(nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_queue_submit(nullptr), -EINVAL);
	EXPECT_EQ(accel_queue_reap(nullptr, &done, 1), -EINVAL);
	EXPECT_EQ(accel_queue_wait(nullptr, &done, 1, 0), -EINVAL);
	EXPECT_EQ(accel_queue_arm(nullptr), -EINVAL);
	EXPECT_EQ(queue().outstanding(), 0u);
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
}

TEST_F(queue_test, timeline_of_another_context_is_refused)
{
	accel::context other(device());
	accel::timeline foreign(other);
	EXPECT_EQ(queue().try_signal(foreign, 1, 1), -EINVAL);
	EXPECT_EQ(queue().try_wait(foreign, 1, 1), -EINVAL);
}

TEST_F(queue_test, full_queue_is_eagain_until_reaped)
{
	for (unsigned depth : { 2u, 8u, 1024u }) {
		accel::queue small(context(), depth);
		for (unsigned i = 0; i < depth; i++)
			ASSERT_EQ(small.try_nop(i), 0) << i;
		EXPECT_EQ(small.try_nop(depth), -EAGAIN);
		EXPECT_EQ(small.try_fill(memory().address(), 8, 0u, depth), -EAGAIN);
		EXPECT_EQ(small.outstanding(), depth);
		ASSERT_EQ(small.submit(), 0);
		EXPECT_EQ(api::collect(small, 1).size(), 1u);
		EXPECT_EQ(small.try_nop(depth), 0);
		EXPECT_EQ(small.try_nop(depth), -EAGAIN);
		ASSERT_EQ(small.submit(), 0);
		EXPECT_EQ(api::collect(small, depth).back().tag, depth);
	}
}

TEST_F(queue_test, nothing_runs_before_submit)
{
	auto word = memory().take<std::uint64_t>(1);
	ASSERT_EQ(queue().try_fill(word.address, 8, 1ull, 1), 0);
	// The card is at work, so that it looks after all queues.
	accel::queue other(context(), 16);
	for (unsigned i = 0; i < 20; i++)
		EXPECT_DONE(api::run(other, [&](auto tag) { return other.try_nop(tag); }));
	EXPECT_FALSE(queue().poll());
	EXPECT_EQ(word.host[0], 0u);
	ASSERT_EQ(queue().submit(), 0);
	EXPECT_DONE(api::collect(queue(), 1).at(0));
	EXPECT_EQ(word.host[0], 1u);
	EXPECT_EQ(queue().submit(), 0);	// nothing to hand over is not an error
}

TEST_F(queue_test, rings_wrap_around_many_times)
{
	accel::queue small(context(), 16);
	api::numbers random(1);
	const std::uint32_t total = scaled(100000);
	std::uint32_t written = 0, reaped = 0;
	accel::completion done[16];

	while (reaped < total) {
		std::uint32_t batch = 1 + random.next() % 16;
		while (batch-- > 0 && written < total && small.try_nop(written) == 0)
			written++;
		ASSERT_EQ(small.submit(), 0);
		int got = small.wait({ done, 1 + random.next() % 16 });
		ASSERT_GT(got, 0) << accel_error_text();
		for (int i = 0; i < got; i++) {
			ASSERT_EQ(done[i].tag, reaped++);
			ASSERT_EQ(done[i].result, 0);
		}
	}
	EXPECT_EQ(small.outstanding(), 0u);
}

TEST_F(queue_test, waits_end_with_their_timeout)
{
	accel::timeline gate(context());
	accel::completion done{};

	hold(gate);
	EXPECT_EQ(queue().wait({ &done, 1 }, 0ns), -ETIMEDOUT);
	EXPECT_EQ(queue().wait({ &done, 1 }, 1ns), -ETIMEDOUT);
	EXPECT_EQ(queue().wait({ &done, 1 }, 20ms), -ETIMEDOUT);
	EXPECT_EQ(queue().outstanding(), 2u);
	EXPECT_EQ(gate.signal(1), 0);
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
	EXPECT_EQ(queue().wait({ &done, 1 }, 0ns), -ETIMEDOUT);
}

TEST_F(queue_test, wait_sleeps_until_the_card_is_done)
{
	for (accel::timeout how :
	     { accel::timeout(), accel::timeout::infinite(), accel::timeout(1h) }) {
		accel::timeline gate(context());
		hold(gate);
		std::thread opener([&, waiter = gettid()] {
			EXPECT_TRUE(support::wait_until_asleep(waiter));
			EXPECT_EQ(gate.signal(1), 0);
		});
		accel::completion done[2];
		int got = queue().wait(done, how);
		opener.join();
		ASSERT_GE(got, 1) << accel_error_text();
		EXPECT_EQ(done[0].tag, 100u);
		if (got == 1) {
			EXPECT_EQ(api::collect(queue(), 1).at(0).tag, 101u);
		}
	}
}

TEST_F(queue_test, fd_and_arm_serve_a_poll_loop)
{
	int fd = queue().fd();
	ASSERT_GE(fd, 0);
	EXPECT_EQ(queue().fd(), fd);
	unsigned slept = 0;

	for (std::uint32_t i = 0; i < scaled(500); i++) {
		ASSERT_EQ(queue().try_nop(i), 0);
		ASSERT_EQ(queue().submit(), 0);
		std::optional<accel::completion> done;
		while (!(done = queue().poll())) {
			int there = queue().arm();
			ASSERT_GE(there, 0) << accel_error_text();
			if (there == 1)
				continue;
			pollfd waiter = { fd, POLLIN, 0 };
			ASSERT_EQ(::poll(&waiter, 1, 30000), 1);
			std::uint64_t interrupts = 0;
			ASSERT_EQ(::read(fd, &interrupts, sizeof(interrupts)),
				  static_cast<ssize_t>(sizeof(interrupts)));
			slept++;
		}
		ASSERT_EQ(done->tag, i);
	}
	RecordProperty("slept", static_cast<int>(slept));
}

TEST_F(queue_test, armed_fd_fires_when_the_gate_opens)
{
	accel::timeline gate(context());
	unsigned early = 0;

	hold(gate);
	// An early event may come, where others share the interrupt; then arm() finds nothing.
	do {
		ASSERT_EQ(queue().arm(), 0) << "after " << early << " early events";
	} while (take_event(20) && ++early < 1000);
	EXPECT_LT(early, 1000u) << "events without a cause, on and on";
	EXPECT_EQ(gate.signal(1), 0);
	do {
		ASSERT_TRUE(take_event(30000)) << "completed, armed, and no event";
	} while (queue().arm() == 0);
	EXPECT_EQ(queue().arm(), 1);
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
}

TEST_F(queue_test, arm_says_what_is_there_already)
{
	ASSERT_EQ(queue().try_nop(1), 0);
	ASSERT_EQ(queue().submit(), 0);
	accel::timeline done(context());
	accel::queue second(context());
	// Either the NOP is complete by now, or the interrupt that was asked for says when it is.
	int there = queue().arm();
	if (there == 0) {
		pollfd fd{ queue().fd(), POLLIN, 0 };
		EXPECT_EQ(poll(&fd, 1, 20000), 1);
		there = queue().arm();
	}
	EXPECT_EQ(there, 1);
	EXPECT_EQ(queue().arm(), 1);
	EXPECT_EQ(api::collect(queue(), 1).size(), 1u);
}

TEST_F(queue_test, error_sticks_to_its_queue)
{
	accel::queue bystander(context(), 8);
	auto word = memory().take<std::uint64_t>(2);
	accel::completion none{};

	ASSERT_EQ(queue().try_fill(word.address, 8, 1ull, 1), 0);
	ASSERT_EQ(write_fault(queue(), 2), 0);
	ASSERT_EQ(queue().try_fill(word.address + 8, 8, 1ull, 3), 0);
	ASSERT_EQ(queue().try_nop(4), 0);
	ASSERT_EQ(queue().submit(), 0);
	auto done = api::collect(queue(), 4);
	ASSERT_EQ(done.size(), 4u);
	EXPECT_DONE(done[0]);
	EXPECT_EQ(done[1].tag, 2u);
	EXPECT_LT(done[1].result, 0);
	EXPECT_STREQ(accel_code_text(done[1].code), api::text_fault);
	EXPECT_EQ(done[1].info, 0x7fff'0000'0000u);
	for (std::size_t i = 2; i < 4; i++) {
		EXPECT_EQ(done[i].tag, i + 1);
		EXPECT_LT(done[i].result, 0);
		EXPECT_STREQ(accel_code_text(done[i].code), api::text_aborted);
	}
	EXPECT_EQ(word.host[0], 1u);
	EXPECT_EQ(word.host[1], 0u);

	EXPECT_EQ(queue().wait({ &none, 1 }), -EIO);
	EXPECT_NE(std::string(accel_error_text()).find(api::text_fault), std::string::npos)
		<< accel_error_text();
	EXPECT_EQ(queue().reap({ &none, 1 }), 0);

	EXPECT_DONE(api::run(bystander, [&](auto tag) { return bystander.try_nop(tag); }));
	accel::queue fresh(context(), 8);
	EXPECT_DONE(api::run(fresh, [&](auto tag) {
		return fresh.try_fill(word.address + 8, 8, 5ull, tag);
	}));
	EXPECT_EQ(word.host[1], 5u);
}

TEST_F(queue_test, commands_after_an_error_do_not_run)
{
	auto word = memory().take<std::uint64_t>(1);
	EXPECT_LT(api::run(queue(), [&](auto tag) { return write_fault(queue(), tag); }).result, 0);

	// Refused at once or aborted by the card: done it is not, and nobody waits for ever.
	int written = queue().try_fill(word.address, 8, 1ull, 2);
	// A driver that rings the doorbell itself knows of the error: it refuses.
	if (int submitted = queue().submit(); submitted != 0) {
		EXPECT_EQ(submitted, -EIO);
		EXPECT_STRNE(accel_error_text(), "");
	}
	accel::completion done{};
	int got = queue().wait({ &done, 1 });
	if (written == 0 && got == 1) {
		EXPECT_STREQ(accel_code_text(done.code), api::text_aborted);
	} else {
		EXPECT_EQ(got, -EIO) << accel_error_text();
	}
	EXPECT_EQ(word.host[0], 0u);
}

TEST_F(queue_test, destroying_drops_what_is_outstanding)
{
	for (unsigned i = 0; i < scaled(50); i++) {
		accel::timeline gate(context());
		accel::queue doomed(context(), 16);
		ASSERT_EQ(doomed.try_wait(gate, 1, 1), 0);
		for (std::uint32_t tag = 2; tag < 10; tag++)
			ASSERT_EQ(doomed.try_copy(memory().address(), memory().address() + 65536,
						  65536, tag),
				  0);
		ASSERT_EQ(doomed.submit(), 0);
		if (i % 2) {
			EXPECT_EQ(gate.signal(1), 0);
		}
	}
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
}

TEST_F(queue_test, limit_is_enospc_and_comes_back)
{
	std::uint64_t limit = number(ACCEL_NUMBER_MAX_QUEUES);
	if (limit > scaled(2048))
		GTEST_SKIP() << limit << " queues take too long here";

	std::vector<accel_queue *> queues;
	accel_queue *raw = nullptr;
	int result = 0;
	while (queues.size() <= limit) {
		result = accel_queue_create(context().get(), 2, 1, &raw);
		if (result != 0)
			break;
		queues.push_back(raw);
	}
	EXPECT_EQ(result, -ENOSPC) << accel_error_text();
	EXPECT_FALSE(queues.empty());
	// The last one works like any other.
	accel_completion done{};
	EXPECT_EQ(accel_queue_nop(queues.back(), 9), 0);
	EXPECT_EQ(accel_queue_submit(queues.back()), 0);
	EXPECT_EQ(accel_queue_wait(queues.back(), &done, 1, ACCEL_TIMEOUT_DEFAULT), 1);
	for (accel_queue *one : queues)
		accel_queue_destroy(one);
	EXPECT_EQ(accel_queue_create(context().get(), 2, 1, &raw), 0) << accel_error_text();
	accel_queue_destroy(raw);
}

} // namespace
