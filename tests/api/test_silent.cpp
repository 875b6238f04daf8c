// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card that does not answer: calls end by their own deadlines, also while another thread's call
// waits for that card, and when it answers again nothing is lost. Its limit for one answer is 10 s;
// who waits for less must not notice it.
#include "fixture.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include <unistd.h>

#include "../support/asleep.hpp"
#include "emulator_process.hpp"

using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;

/// More than the deadlines here by far, and less by far than what a card has to answer.
constexpr auto soon = 4s;

class silent_test : public testing::Test
{
protected:
	void SetUp() override
	{
		if (!server_.is_there())
			GTEST_SKIP() << "no accel-emu beside this program";
		device_.emplace("socket:" + server_.socket());
	}
	void TearDown() override
	{
		if (server_.is_there())
			server_.go_on();
		if (busy_.joinable())
			busy_.join();
		if (device_)
			api::expect_works(*device_);
	}
	/// Halts the card; then a thread is in a call that waits for it, and gives what the call gives.
	void keep_busy_with(std::function<int()> call)
	{
		server_.halt();
		std::atomic<pid_t> thread{ 0 };
		busy_ = std::thread([this, call, &thread] {
			thread = gettid();
			thread.notify_one();
			busy_result_ = call();
		});
		thread.wait(0);
		/* Far more than the library polls before it sleeps. */
		for (unsigned looks = 0; looks < 3; looks++)
			ASSERT_TRUE(support::wait_until_asleep(thread));
	}
	/// The card answers again, and so the call ends well.
	void expect_busy_ends()
	{
		server_.go_on();
		busy_.join();
		EXPECT_EQ(busy_result_, 0);
	}
	static void expect_timeout_soon(const std::function<int()> &call)
	{
		const auto begin = clock::now();
		EXPECT_EQ(call(), -ETIMEDOUT) << accel_error_text();
		EXPECT_LT(clock::now() - begin, soon);
	}
	int load(std::chrono::nanoseconds timeout)
	{
		const auto &image = api::good_firmware();
		return accel_firmware_load(device_->get(), image.data(), image.size(),
					   timeout.count());
	}

	api::emulator_process server_;
	std::optional<accel::device> device_;

private:
	std::thread busy_;
	std::atomic<int> busy_result_{ 1 };
};

TEST_F(silent_test, waits_keep_their_deadlines_beside_a_map)
{
	accel::context context(*device_);
	accel::queue queue(context, 8);
	accel::timeline timeline(context);
	accel::buffer buffer(*device_, api::page);
	std::uint64_t address = 0;
	keep_busy_with([&] {
		return accel_buffer_map(context.get(), buffer.get(), 0, 0, ACCEL_MAP_READ,
					&address);
	});
	expect_timeout_soon([&] { return timeline.wait(1, 50ms); });
	accel::completion one{};
	ASSERT_EQ(queue.try_nop(1), 0);
	ASSERT_EQ(queue.submit(), 0);
	expect_timeout_soon([&] { return queue.wait({ &one, 1 }, 50ms); });
	accel_usage usage{};
	const auto begin = clock::now();
	EXPECT_EQ(accel_context_usage(context.get(), &usage), 0) << accel_error_text();
	EXPECT_LT(clock::now() - begin, soon) << "what the host knows needs no card";
	EXPECT_EQ(accel_buffer_free(buffer.get()), -EBUSY) << "it is about to be mapped";
	EXPECT_EQ(accel_buffer_unmap(context.get(), 0x10000), -ENOENT);
	expect_busy_ends();
	EXPECT_EQ(accel_buffer_unmap(context.get(), address), 0) << accel_error_text();
	EXPECT_EQ(api::collect(queue, 1).at(0).tag, 1u);
}

TEST_F(silent_test, a_timeline_is_waited_for_beside_its_share)
{
	accel::context context(*device_), other(*device_);
	accel::timeline timeline(context);
	keep_busy_with([&] { return accel_timeline_share(timeline.get(), other.get()); });
	expect_timeout_soon([&] { return timeline.wait(1, 50ms); });
	expect_busy_ends();
}

TEST_F(silent_test, firmware_load_keeps_its_deadline)
{
	ASSERT_FALSE(api::good_firmware().empty()) << "no image to load";
	server_.halt();
	expect_timeout_soon([&] { return load(50ms); });
	expect_timeout_soon([&] { return load(50ms); });
	EXPECT_NE(device_->health().reason_name(), "starting") << "nobody boots it any more";
	server_.go_on();
	EXPECT_EQ(load(30s), 0) << accel_error_text();
	EXPECT_EQ(device_->health().state_name(), "ok") << device_->health().reason_name();
}

TEST_F(silent_test, firmware_load_keeps_its_deadline_beside_a_command)
{
	ASSERT_FALSE(api::good_firmware().empty()) << "no image to load";
	keep_busy_with([&] {
		accel_telemetry *read = nullptr;
		const int result = accel_telemetry_read(device_->get(), &read);
		accel_telemetry_free(read);
		return result;
	});
	expect_timeout_soon([&] { return load(50ms); });
	expect_busy_ends();
	EXPECT_EQ(load(30s), 0) << accel_error_text();
}

TEST_F(silent_test, who_uses_the_card_is_known_while_it_boots)
{
	ASSERT_FALSE(api::good_firmware().empty()) << "no image to load";
	keep_busy_with([&] { return load(60s); });
	accel_client client{};
	const auto begin = clock::now();
	EXPECT_EQ(accel_device_clients(device_->get(), &client, 1), 1) << accel_error_text();
	EXPECT_LT(clock::now() - begin, soon);
	EXPECT_EQ(client.pid, getpid());
	expect_busy_ends();
}

TEST_F(silent_test, a_stage_that_is_busy_is_waited_for_no_longer_than_asked)
{
	accel::context context(*device_);
	api::arena memory(*device_, context, 2 * api::page);
	accel::stage stage(context, context);
	const std::uint64_t from = memory.address(), to = from + api::page;
	keep_busy_with([&] {
		return accel_stage_copy(stage.get(), to, from, api::page, ACCEL_TIMEOUT_DEFAULT);
	});
	expect_timeout_soon(
		[&] { return accel_stage_copy(stage.get(), to, from, api::page, 50'000'000); });
	expect_busy_ends();
}

TEST_F(silent_test, waits_end_at_once_when_it_dies)
{
	{
		accel::context context(*device_);
		accel::timeline timeline(context);
		keep_busy_with([&] { return timeline.wait(1, 60s) == -ENODEV ? 0 : 1; });
		const auto begin = clock::now();
		server_.kill();
		expect_busy_ends();
		EXPECT_LT(clock::now() - begin, soon);
	}
	device_.reset();
}

} // namespace
