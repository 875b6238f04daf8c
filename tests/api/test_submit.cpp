// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Queues made with options, and submission through the driver.
#include "fixture.hpp"

#include <cstdlib>

namespace
{

class submit_test : public api::queue_test
{
protected:
	int create(const accel_queue_options &options)
	{
		accel_queue *raw = nullptr;
		const int result = accel_queue_create_with(context().get(), &options, &raw);
		accel_queue_destroy(raw);
		return result;
	}
	static accel_queue_options with_flags(std::uint32_t flags)
	{
		accel_queue_options options{};
		options.depth = 16;
		options.flags = flags;
		return options;
	}
	/// More commands than the ring has, half of them waited for asleep.
	void work(accel::queue &on)
	{
		auto word = memory().take<std::uint64_t>(1);
		for (std::uint64_t i = 1; i <= scaled(200); i++) {
			ASSERT_EQ(on.try_fill(word.address, 8, i, 1), 0);
			ASSERT_EQ(on.try_nop(2), 0);
			ASSERT_EQ(on.submit(), 0) << accel_error_text();
			for (const auto &done : api::collect(on, 2))
				ASSERT_EQ(done.result, 0);
			ASSERT_EQ(word.host[0], i);
		}
	}
};

TEST_F(submit_test, options_are_checked)
{
	EXPECT_EQ(create({}), 0) << accel_error_text();
	EXPECT_EQ(create(with_flags(0x4)), -EINVAL);
	EXPECT_NE(std::string(accel_error_text()).find("flags"), std::string::npos);
	EXPECT_EQ(create(with_flags(0x80000000u)), -EINVAL);
	for (std::size_t i = 0; i < std::size(accel_queue_options{}.reserved); i++) {
		accel_queue_options options{};
		options.reserved[i] = 1;
		EXPECT_EQ(create(options), -EINVAL) << i;
		EXPECT_NE(std::string(accel_error_text()).find("reserved"), std::string::npos);
	}
	accel_queue_options options{};
	options.weight = 1025;
	EXPECT_EQ(create(options), -EINVAL);
	options.weight = 1024;
	EXPECT_EQ(create(options), 0) << accel_error_text();
	options.has_priority = 2;
	EXPECT_EQ(create(options), -EINVAL);
	options.has_priority = 1;
	options.priority = 4;
	EXPECT_EQ(create(options), -EINVAL);
	options.priority = 0;
	EXPECT_EQ(create(options), 0) << accel_error_text();
	options.depth = 3;
	EXPECT_EQ(create(options), -EINVAL);
	accel_queue *raw = nullptr;
	EXPECT_EQ(accel_queue_create_with(context().get(), nullptr, &raw), -EINVAL);
}

TEST_F(submit_test, every_kind_of_queue_works)
{
	for (std::uint32_t flags : { 0u, ACCEL_QUEUE_ONE_THREAD, ACCEL_QUEUE_DRIVER_SUBMIT,
				     ACCEL_QUEUE_ONE_THREAD | ACCEL_QUEUE_DRIVER_SUBMIT }) {
		accel::queue on(context(), with_flags(flags));
		work(on);
	}
}

TEST_F(submit_test, driver_wakes_who_sleeps)
{
	accel::queue on(context(), with_flags(ACCEL_QUEUE_DRIVER_SUBMIT));
	accel::timeline gate(context());
	ASSERT_EQ(on.try_wait(gate, 1, 1), 0);
	ASSERT_EQ(on.submit(), 0) << accel_error_text();
	ASSERT_EQ(on.arm(), 0) << accel_error_text();
	EXPECT_EQ(gate.signal(1), 0);
	EXPECT_DONE(api::collect(on, 1).at(0));
}

TEST_F(submit_test, environment_chooses_for_queues_without_options)
{
	accel_queue *raw = nullptr;
	for (const char *wrong : { "", "kernel", "Driver" }) {
		setenv("ACCEL_SUBMIT", wrong, 1);
		EXPECT_EQ(accel_queue_create(context().get(), 16, 1, &raw), -EINVAL) << wrong;
		EXPECT_NE(std::string(accel_error_text()).find("ACCEL_SUBMIT"), std::string::npos);
		EXPECT_EQ(create({}), 0) << accel_error_text();
	}
	for (const char *right : { "user", "driver" }) {
		setenv("ACCEL_SUBMIT", right, 1);
		accel::queue on(context(), 16);
		work(on);
	}
	unsetenv("ACCEL_SUBMIT");
}

} // namespace
