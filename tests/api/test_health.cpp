// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Health and the event stream: words for every number, what a card that works says, what changes
// when something is wrong with it, and streams that several read.
#include "fixture.hpp"

#include <poll.h>

#include "card_control.hpp"

using namespace std::chrono_literals;

namespace
{

class health_test : public api::card_test
{
protected:
	/// Waits until the stream shows an event of that name.
	std::optional<accel::event> await(accel::event_stream &stream, std::string_view name)
	{
		accel::event one{};
		while (stream.read({ &one, 1 }, 10s) == 1) {
			const char *text = accel_event_name(one.code);
			if (text && name == text)
				return one;
		}
		return std::nullopt;
	}
	std::string reason() { return std::string(device().health().reason_name()); }
	std::string state() { return std::string(device().health().state_name()); }
};

#define NEEDS_CONTROL(control) \
	if (!(control).is_there()) \
	GTEST_SKIP() << "faults can be put into emulated cards in this process only"

TEST_F(health_test, every_number_has_words)
{
	for (std::uint32_t i = 0; i < 6; i++) {
		EXPECT_STRNE(accel_health_state_name(i), "unknown_number") << i;
		EXPECT_GT(std::string(accel_health_state_text(i)).size(), 3u) << i;
	}
	for (std::uint32_t i = 0; i < ACCEL_RUNG_COUNT; i++) {
		EXPECT_STRNE(accel_rung_name(i), "unknown_number") << i;
		EXPECT_GT(std::string(accel_rung_text(i)).size(), 3u) << i;
	}
	for (std::uint32_t i = 0; i <= 0xa; i++) {
		EXPECT_STRNE(accel_cause_name(i), "unknown_number") << i;
		EXPECT_STRNE(accel_health_action_name(i), "unknown_number") << i;
	}
	EXPECT_STREQ(accel_health_state_name(3), "needs_reset");
	EXPECT_STREQ(accel_health_reason_name(0x20), "hang");
	EXPECT_STREQ(accel_rung_name(ACCEL_RUNG_SOFT_RESET), "soft_reset");
	EXPECT_STREQ(accel_health_state_name(99), "unknown_number");
	EXPECT_STREQ(accel_health_reason_name(UINT32_MAX), "unknown_number");
	EXPECT_NE(accel_health_reason_text(UINT32_MAX), nullptr);
	EXPECT_STREQ(accel_event_name(0x101), "RECOVERY");
	EXPECT_NE(accel_event_action(0x105), nullptr);
}

TEST_F(health_test, arguments_are_checked)
{
	accel_health health{};
	accel_rung_history history{};
	accel_event_stream *stream = nullptr;
	std::uint64_t failed = 0;
	accel_device *card = device().get();
	EXPECT_EQ(accel_device_health(nullptr, &health), -EINVAL);
	EXPECT_EQ(accel_device_health(card, nullptr), -EINVAL);
	EXPECT_EQ(accel_device_rung(card, ACCEL_RUNG_COUNT, &history), -EINVAL);
	EXPECT_EQ(accel_device_rung(card, ACCEL_RUNG_FLR, nullptr), -EINVAL);
	EXPECT_EQ(accel_device_recover(nullptr, 0), -EINVAL);
	EXPECT_EQ(accel_device_recover(card, -2), -EINVAL);
	EXPECT_EQ(accel_device_reset(card, ACCEL_RUNG_CONTEXT, 1000), -EINVAL);
	EXPECT_EQ(accel_device_reset(card, ACCEL_RUNG_WEDGED, 1000), -EINVAL);
	EXPECT_EQ(accel_device_reset(card, ACCEL_RUNG_SOFT_RESET, 0), -ETIMEDOUT);
	EXPECT_EQ(accel_device_self_test(card, nullptr, 1000), -EINVAL);
	EXPECT_EQ(accel_device_self_test(card, &failed, -5), -EINVAL);
	EXPECT_EQ(accel_context_lost(nullptr), -EINVAL);
	EXPECT_EQ(accel_event_stream_open(nullptr, 0, &stream), -EINVAL);
	EXPECT_EQ(accel_event_stream_open(card, 0, nullptr), -EINVAL);
	EXPECT_EQ(accel_event_stream_read(nullptr, nullptr, 1, 0), -EINVAL);
	accel_event_stream_close(nullptr);
}

TEST_F(health_test, a_card_that_works_is_ok)
{
	const accel::health now = device().health();
	EXPECT_EQ(now.state_name(), "ok") << now.reason_name();
	EXPECT_EQ(now.reason_name(), "none");
	EXPECT_TRUE(now.is_working());
	EXPECT_NE(now.since_ns, 0u);
	EXPECT_EQ(now.is_held, 0u);
	EXPECT_NE(now.rungs_allowed & (1u << ACCEL_RUNG_SOFT_RESET), 0u);
	EXPECT_NO_THROW(device().recover(0s)) << "there is nothing to do";
	accel::context context(device());
	EXPECT_EQ(context.lost(), ACCEL_LOST_NO);
}

TEST_F(health_test, a_stream_waits_for_its_deadline)
{
	accel::event_stream stream = device().watch_events();
	accel::event one{};
	/* A card that was opened just now has its boot to tell. */
	while (stream.read({ &one, 1 }, 100ms) == 1) {}
	pollfd fd{ stream.fd(), POLLIN, 0 };
	EXPECT_EQ(poll(&fd, 1, 0), 0);
	EXPECT_EQ(stream.read({ &one, 1 }, 0s), -ETIMEDOUT);
	const auto start = std::chrono::steady_clock::now();
	EXPECT_EQ(stream.read({ &one, 1 }, 20ms), -ETIMEDOUT);
	EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
	EXPECT_EQ(device().close(), -EBUSY) << "the stream is open";
}

/// Two readers from the start, one from now on: all in order, each with its own place.
TEST_F(health_test, several_read_a_stream)
{
	accel::event_stream one = device().watch_events(1), two = device().watch_events(1),
			    late = device().watch_events();
	accel::context context(device());
	{
		accel::queue doomed(context, 4u);
		EXPECT_EQ(api::run(doomed,
				   [&](auto tag) {
					   return doomed.try_fill(0x7fff'0000'0000, 8, 0u, tag);
				   })
				  .result,
			  -EFAULT);
	}
	const auto first = await(one, "ACCESS_FAULT"), second = await(two, "ACCESS_FAULT"),
		   third = await(late, "ACCESS_FAULT");
	ASSERT_TRUE(first && second && third);
	EXPECT_EQ(third->argument, 0x7fff'0000'0000u);
	EXPECT_NE(third->boot_ns, 0u);
	std::vector<accel::event> all(4096);
	accel::event_stream again = device().watch_events(1);
	const int count = again.read(all, 0s);
	ASSERT_GT(count, 0);
	for (int i = 1; i < count; i++) {
		EXPECT_EQ(all[i].sequence, all[i - 1].sequence + 1);
		EXPECT_GE(all[i].boot_ns, all[i - 1].boot_ns);
	}
}

TEST_F(health_test, a_card_without_firmware_says_so)
{
	if (on_kernel() && geteuid() != 0)
		GTEST_SKIP() << "loading firmware needs a privilege";
	if (api::good_firmware().empty())
		GTEST_SKIP() << "no firmware image to load afterwards";
	const auto generation = device().health().generation;
	accel::event_stream stream = device().watch_events();
	const std::vector<std::byte> bad(4096);
	EXPECT_THROW(device().load_firmware(bad), std::system_error);
	EXPECT_EQ(state(), "needs_firmware");
	EXPECT_EQ(reason(), "boot_failed");
	EXPECT_NE(device().health().argument, 0u) << "the card's reason";
	EXPECT_TRUE(await(stream, "HEALTH"));
	device().load_firmware(api::good_firmware());
	EXPECT_EQ(state(), "ok") << reason();
	EXPECT_GT(device().health().generation, generation);
	api::expect_works(device());
}

class fault_health_test : public health_test
{
protected:
	/// What the fault makes of the card's health, and what its end does.
	void expect_degraded(const char *fault, const char *event, const char *reason_wanted,
			     const char *action, const char *cleared)
	{
		api::card_control control(string(ACCEL_STRING_NAME));
		NEEDS_CONTROL(control);
		accel::event_stream stream = device().watch_events();
		control.inject(fault);
		ASSERT_TRUE(await(stream, event));
		ASSERT_TRUE(await(stream, "HEALTH"));
		EXPECT_EQ(state(), "degraded");
		EXPECT_EQ(reason(), reason_wanted);
		EXPECT_EQ(device().health().action_name(), action);
		EXPECT_TRUE(device().health().is_working());
		api::expect_works(device());
		control.clear();
		if (!cleared)
			device().reset(ACCEL_RUNG_SOFT_RESET);
		else
			ASSERT_TRUE(await(stream, cleared));
		ASSERT_TRUE(await(stream, "HEALTH"));
		EXPECT_EQ(state(), "ok") << reason();
	}
};

TEST_F(fault_health_test, a_power_brake)
{
	expect_degraded(R"("fault":"power_brake")", "POWER_BRAKE", "power_brake", "check_power",
			"POWER_CLEARED");
}

TEST_F(fault_health_test, a_sensor_that_is_dead)
{
	expect_degraded(R"("fault":"sensor_dead")", "SENSOR_DEAD", "sensor_dead", "none", nullptr);
}

TEST_F(fault_health_test, lost_data)
{
	expect_degraded(R"("fault":"ecc_lost","address":0)", "ECC_LOST", "ecc_lost", "reset_card",
			nullptr);
}

/// Who has less time than the self-test takes gets no answer, and nobody loses anything by it.
TEST_F(fault_health_test, a_self_test_without_time_harms_nobody)
{
	accel::context context(device());
	accel::queue queue(context, 4u);
	const auto generation = device().health().generation;
	std::uint64_t failed = 0;
	EXPECT_EQ(accel_device_self_test(device().get(), &failed, 1000), -ETIMEDOUT);
	EXPECT_EQ(device().self_test(), 0u) << "behind the one that was left";
	EXPECT_DONE(api::run(queue, [&](auto tag) { return queue.try_nop(tag); }));
	EXPECT_EQ(context.lost(), ACCEL_LOST_NO);
	EXPECT_EQ(device().health().generation, generation);
}

TEST_F(fault_health_test, a_wrong_answer_is_found_and_not_forgotten)
{
	api::card_control control(string(ACCEL_STRING_NAME));
	NEEDS_CONTROL(control);
	EXPECT_EQ(device().self_test(), 0u);
	control.inject(R"("fault":"wrong_answer","engine":2)");
	EXPECT_EQ(device().self_test(), 1u << 2);
	EXPECT_EQ(state(), "failed");
	EXPECT_EQ(reason(), "self_test");
	EXPECT_EQ(device().health().argument, 1u << 2);
	device().reset(ACCEL_RUNG_SOFT_RESET);
	EXPECT_EQ(reason(), "self_test") << "a reset proves nothing";
	control.clear();
	device().reset(ACCEL_RUNG_SOFT_RESET);
	EXPECT_EQ(device().self_test(), 0u);
	EXPECT_EQ(state(), "ok");
}

} // namespace
