// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Timelines: host and queues signal and wait, in every direction.
#include "fixture.hpp"

#include <chrono>
#include <thread>

#include <unistd.h>

#include "../support/asleep.hpp"

namespace
{

using namespace std::chrono_literals;

class timeline_test : public api::queue_test
{};

TEST_F(timeline_test, host_raises_it_and_never_back)
{
	accel::timeline timeline(context());
	EXPECT_EQ(timeline.value(), 0u);
	EXPECT_EQ(timeline.signal(5), 0);
	EXPECT_EQ(timeline.value(), 5u);
	EXPECT_EQ(timeline.signal(4), -EINVAL);
	EXPECT_EQ(timeline.value(), 5u);
	EXPECT_EQ(timeline.signal(UINT64_MAX), 0);
	EXPECT_EQ(timeline.wait(UINT64_MAX, 0ns), 0);
}

TEST_F(timeline_test, arguments_are_checked)
{
	accel::timeline timeline(context());
	accel_timeline *raw = nullptr;
	EXPECT_EQ(accel_timeline_create(nullptr, &raw), -EINVAL);
	EXPECT_EQ(accel_timeline_create(context().get(), nullptr), -EINVAL);
	EXPECT_EQ(accel_timeline_signal(nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_timeline_wait(nullptr, 1, 0), -EINVAL);
	EXPECT_EQ(accel_timeline_wait(timeline.get(), 1, -2), -EINVAL);
}

TEST_F(timeline_test, waits_time_out)
{
	accel::timeline timeline(context());
	EXPECT_EQ(timeline.wait(0, 0ns), 0);
	EXPECT_EQ(timeline.wait(1, 0ns), -ETIMEDOUT);
	EXPECT_EQ(timeline.wait(1, 20ms), -ETIMEDOUT);
}

TEST_F(timeline_test, queue_signals_host)
{
	accel::timeline timeline(context());
	for (std::uint64_t i = 1; i <= scaled(200); i++) {
		ASSERT_EQ(queue().try_signal(timeline, i, 1), 0);
		ASSERT_EQ(queue().submit(), 0);
		ASSERT_EQ(timeline.wait(i), 0) << accel_error_text();
		ASSERT_GE(timeline.value(), i);
		api::collect(queue(), 1);
	}
}

TEST_F(timeline_test, host_opens_gates_of_queues)
{
	accel::timeline gate(context());
	auto words = memory().take<std::uint64_t>(8);

	for (std::uint32_t i = 0; i < 8; i++) {
		ASSERT_EQ(queue().try_wait(gate, i + 1, 2 * i), 0);
		ASSERT_EQ(queue().try_fill(words.address + 8 * i, 8, 1ull, 2 * i + 1), 0);
	}
	ASSERT_EQ(queue().submit(), 0);
	for (std::uint32_t i = 0; i < 8; i++) {
		EXPECT_EQ(words.host[i], 0u);
		ASSERT_EQ(gate.signal(i + 1), 0);
		ASSERT_EQ(api::collect(queue(), 2).size(), 2u);
		EXPECT_EQ(words.host[i], 1u);
	}
}

TEST_F(timeline_test, another_thread_wakes_a_host_wait)
{
	accel::timeline timeline(context());
	std::thread other([&, waiter = gettid()] {
		EXPECT_TRUE(support::wait_until_asleep(waiter));
		EXPECT_EQ(timeline.signal(3), 0);
	});
	EXPECT_EQ(timeline.wait(2), 0) << accel_error_text();
	other.join();
}

TEST_F(timeline_test, two_queues_play_ping_pong)
{
	accel::timeline ping(context()), pong(context());
	accel::queue other(context(), 64);
	auto ball = memory().take<std::uint64_t>(2);
	const std::uint64_t rounds = scaled(200);

	ball.host[0] = 0x600d;
	for (std::uint64_t i = 1; i <= rounds; i++) {
		// copied there by one queue and back by the other, each after the other's signal
		ASSERT_EQ(queue().try_copy(ball.address + 8, ball.address, 8, 1), 0);
		ASSERT_EQ(queue().try_signal(ping, i, 2), 0);
		ASSERT_EQ(queue().try_wait(pong, i, 3), 0);
		ASSERT_EQ(other.try_wait(ping, i, 1), 0);
		ASSERT_EQ(other.try_copy(ball.address, ball.address + 8, 8, 2), 0);
		ASSERT_EQ(other.try_fill(ball.address + 8, 8, i, 3), 0);
		ASSERT_EQ(other.try_signal(pong, i, 4), 0);
		ASSERT_EQ(other.submit(), 0);
		ASSERT_EQ(queue().submit(), 0);
		for (const auto &done : api::collect(queue(), 3))
			ASSERT_EQ(done.result, 0);
		for (const auto &done : api::collect(other, 4))
			ASSERT_EQ(done.result, 0);
		ASSERT_EQ(ball.host[0], 0x600du);
		ASSERT_EQ(ball.host[1], i);
	}
	EXPECT_EQ(ping.value(), rounds);
	EXPECT_EQ(pong.value(), rounds);
}

TEST_F(timeline_test, use_after_destroy_is_a_typed_error_or_nothing)
{
	auto timeline = std::make_unique<accel::timeline>(context());
	ASSERT_EQ(queue().try_wait(*timeline, 1, 1), 0);
	ASSERT_EQ(queue().submit(), 0);
	timeline.reset();
	accel::completion done{};
	int got = queue().wait({ &done, 1 }, 100ms);
	if (got == 1) {
		EXPECT_STREQ(accel_code_text(done.code), api::text_fault);
	} else {
		EXPECT_EQ(got, -ETIMEDOUT);
	}
	accel::queue fresh(context());
	EXPECT_DONE(api::run(fresh, [&](auto tag) { return fresh.try_nop(tag); }));
}

TEST_F(timeline_test, many_live_at_once)
{
	std::vector<accel::timeline> all;
	for (unsigned i = 0; i < 1000; i++)
		all.emplace_back(context());
	for (std::uint64_t i = 0; i < all.size(); i++)
		ASSERT_EQ(all[i].signal(i + 1), 0);
	for (std::uint64_t i = 0; i < all.size(); i++)
		ASSERT_EQ(all[i].value(), i + 1);
}

TEST_F(timeline_test, another_context_needs_a_share)
{
	accel::context other(device());
	accel::timeline timeline(context());
	accel::queue second(other, 16);
	EXPECT_EQ(second.try_signal(timeline, 1, 1), -EINVAL);
	EXPECT_NE(std::string_view(accel_error_text()).find("accel_timeline_share"),
		  std::string_view::npos);
	timeline.share(other);
	timeline.share(other);
	timeline.share(context());
	EXPECT_DONE(
		api::run(second, [&](auto tag) { return second.try_signal(timeline, 3, tag); }));
	EXPECT_EQ(timeline.value(), 3u);
	EXPECT_DONE(
		api::run(queue(), [&](auto tag) { return queue().try_wait(timeline, 3, tag); }));
	EXPECT_EQ(accel_timeline_share(nullptr, other.get()), -EINVAL);
	EXPECT_EQ(accel_timeline_share(timeline.get(), nullptr), -EINVAL);
}

TEST_F(timeline_test, a_share_keeps_its_context)
{
	accel::context other(device());
	{
		accel::timeline timeline(context());
		timeline.share(other);
		EXPECT_EQ(other.close(), -EBUSY);
	}
	EXPECT_EQ(other.close(), 0) << accel_error_text();
}

TEST_F(timeline_test, cards_wait_for_each_other)
{
	accel::device far_card = open_other();
	accel::context there(far_card);
	accel::queue far(there, 64);
	accel::timeline ping(context()), pong(there);
	ping.share(there);
	pong.share(context());
	const std::uint64_t rounds = scaled(200);

	for (std::uint64_t i = 1; i <= rounds; i++) {
		ASSERT_EQ(far.try_wait(ping, i, 1), 0);
		ASSERT_EQ(far.try_signal(pong, i, 2), 0);
		ASSERT_EQ(far.submit(), 0);
		ASSERT_EQ(pong.value(), i - 1);
		ASSERT_EQ(queue().try_signal(ping, i, 1), 0);
		ASSERT_EQ(queue().try_wait(pong, i, 2), 0);
		ASSERT_EQ(queue().submit(), 0);
		for (const auto &done : api::collect(queue(), 2))
			ASSERT_EQ(done.result, 0);
		for (const auto &done : api::collect(far, 2))
			ASSERT_EQ(done.result, 0);
	}
	EXPECT_EQ(ping.value(), rounds);
	EXPECT_EQ(pong.value(), rounds);
	EXPECT_EQ(far_card.close(), -EBUSY);
}

TEST_F(timeline_test, queues_of_all_cards_wake_the_host)
{
	accel::device far_card = open_other();
	accel::context there(far_card);
	accel::queue far(there, 16);
	accel::timeline timeline(context()), gate(there);
	timeline.share(there);
	for (std::uint64_t i = 1; i <= scaled(100); i += 2) {
		ASSERT_EQ(far.try_wait(gate, i, 1), 0);
		ASSERT_EQ(far.try_signal(timeline, i, 2), 0);
		ASSERT_EQ(far.submit(), 0);
		std::thread opener([&] { EXPECT_EQ(gate.signal(i), 0); });
		ASSERT_EQ(timeline.wait(i), 0) << accel_error_text();
		opener.join();
		api::collect(far, 2);
		ASSERT_EQ(queue().try_signal(timeline, i + 1, 1), 0);
		ASSERT_EQ(queue().submit(), 0);
		ASSERT_EQ(timeline.wait(i + 1), 0) << accel_error_text();
		api::collect(queue(), 1);
	}
}

TEST_F(timeline_test, a_share_reaches_hosts_that_wait_already)
{
	accel::device far_card = open_other();
	for (unsigned round = 0; round < 20; round++) {
		accel::context there(far_card);
		accel::queue far(there, 16);
		accel::timeline timeline(context());
		std::thread host(
			[&] { EXPECT_EQ(timeline.wait(1, 20s), 0) << accel_error_text(); });
		timeline.share(there);
		EXPECT_EQ(far.try_signal(timeline, 1, 1), 0);
		EXPECT_EQ(far.submit(), 0);
		host.join();
		api::collect(far, 1);
	}
}

TEST_F(timeline_test, a_queue_made_meanwhile_wakes_hosts_that_wait)
{
	for (unsigned round = 0; round < 20; round++) {
		accel::timeline timeline(context());
		std::thread host(
			[&] { EXPECT_EQ(timeline.wait(1, 20s), 0) << accel_error_text(); });
		accel::queue late(context(), 16);
		EXPECT_EQ(late.try_signal(timeline, 1, 1), 0);
		EXPECT_EQ(late.submit(), 0);
		api::collect(late, 1);
		host.join();
	}
}

} // namespace
