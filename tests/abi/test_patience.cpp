// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// SELF_TEST, RESET and FIRMWARE_LOAD of callers who have less time than the card takes, or who are
// killed: they get away in time, the card goes on, and nobody else loses anything.
#include "control.hpp"
#include "objects.hpp"
#include "recovery.hpp"
#include "../support/asleep.hpp"

#include <chrono>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace oac::abi;

namespace
{

using clock_type = std::chrono::steady_clock;

} // namespace

class patience : public recovery_test
{
protected:
	void SetUp() override
	{
		if (!has_control())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
		recovery_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		generation_ = health().generation;
	}

	void TearDown() override
	{
		if (!IsSkipped() && has_control()) {
			control(path(), R"({"request":"clear"})");
			wait_for_reason(OAC_REASON_NONE);
		}
		recovery_test::TearDown();
	}

	int self_test(unsigned ms, std::uint64_t *failed = nullptr) const
	{
		drm_oac_self_test test = {};

		test.deadline_ns = deadline_ms(ms);
		const int err = dev().call(DRM_IOCTL_OAC_SELF_TEST, &test);
		if (failed)
			*failed = test.failed;
		return err;
	}

	/* The call in a child that is killed while it waits. */
	template <typename Call>
	void kill_in(Call call) const
	{
		const pid_t child = fork();

		ASSERT_GE(child, 0);
		if (child == 0)
			_exit(call());
		/* TASK_KILLABLE, as the driver's waits are, shows as D. */
		EXPECT_TRUE(support::wait_until_asleep(child, 'D', slowness()));
		EXPECT_EQ(kill(child, SIGKILL), 0);
		int status = 0;
		EXPECT_EQ(waitpid(child, &status, 0), child);
		EXPECT_TRUE(WIFSIGNALED(status)) << "it returned " << WEXITSTATUS(status);
	}

	/* Admin commands are answered so much later. */
	std::string late(unsigned ms) const
	{
		return R"("until":"never","for_ms":)" + std::to_string(ms * slowness());
	}

	void expect_nobody_was_harmed() const
	{
		std::uint64_t failed = ~0ull;

		EXPECT_EQ(self_test(60000, &failed), 0) << "behind the one that was left";
		EXPECT_EQ(failed, 0u);
		EXPECT_EQ(health().generation, generation_);
		EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
		EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
		expect_card_works();
	}

	std::uint32_t generation_ = 0;
};

TEST_F(patience, a_self_test_ends_with_its_deadline_and_harms_nobody)
{
	/* Late for its callers, and not for the driver. */
	const parameter patient("admin_timeout_ms", "600000");

	ASSERT_TRUE(patient.is_set());
	inject(path(), "hang_admin", late(4000));
	const auto began = clock_type::now();
	EXPECT_EQ(self_test(200), ETIMEDOUT);
	EXPECT_LT(clock_type::now() - began, std::chrono::milliseconds(3000) * slowness());
	/* Nor does one that is not even begun before its time is over. */
	EXPECT_EQ(self_test(200), ETIMEDOUT);
	EXPECT_LT(clock_type::now() - began, std::chrono::milliseconds(3500) * slowness());
	expect_nobody_was_harmed();
}

TEST_F(patience, who_is_killed_in_a_self_test_harms_nobody)
{
	const unsigned id = inject(path(), "hang_admin", R"("until":"never")");

	kill_in([&] { return self_test(600000); });
	clear(path(), id);
	expect_nobody_was_harmed();
}

/* Several at once, each with an answer of its own. */
TEST_F(patience, self_tests_come_one_after_the_other)
{
	std::vector<std::thread> threads;

	inject(path(), "wrong_answer", R"("engine":1)");
	for (unsigned i = 0; i < 4; i++)
		threads.emplace_back([&] {
			std::uint64_t failed = 0;

			EXPECT_EQ(self_test(60000, &failed), 0);
			EXPECT_EQ(failed, 2u);
		});
	for (auto &one : threads)
		one.join();
	control(path(), R"({"request":"clear"})");
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(self_test(60000), 0);
}

TEST_F(patience, a_reset_goes_on_without_who_asked_for_it)
{
	const event_reader told(dev(), 0);
	drm_oac_reset arg = {};

	inject(path(), "boot_hang", late(3000));
	arg.rung = soft;
	arg.deadline_ns = deadline_ms(200);
	const auto began = clock_type::now();
	EXPECT_EQ(dev().call(DRM_IOCTL_OAC_RESET, &arg), ETIMEDOUT);
	EXPECT_LT(clock_type::now() - began, std::chrono::milliseconds(2500) * slowness());
	told.read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(health().generation, generation_ + 1);
	expect_card_works();
	/* One whose time is over before it begins does not. */
	arg.deadline_ns = 1;
	EXPECT_EQ(dev().call(DRM_IOCTL_OAC_RESET, &arg), ETIMEDOUT);
	EXPECT_EQ(reset(soft), 0);
	EXPECT_EQ(health().generation, generation_ + 2);
}

TEST_F(patience, a_reset_goes_on_without_who_is_killed_in_it)
{
	const event_reader told(dev(), 0);

	inject(path(), "boot_hang", late(3000));
	kill_in([&] { return reset(soft); });
	told.read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(reset(soft), 0) << "the next is not held up";
	expect_card_works();
}

/* The boot itself is quick; the commands behind it count as well. */
TEST_F(patience, a_firmware_load_ends_in_time_however_far_it_got)
{
	auto image = firmware_image();
	drm_oac_firmware_load load = {};
	drm_oac_context_destroy destroy = { context_, 0 };
	const parameter late_ms("admin_timeout_ms", "600000");

	if (image.empty())
		GTEST_SKIP() << "no image to load (OAC_TEST_FIRMWARE)";
	ASSERT_TRUE(late_ms.is_set());
	ASSERT_EQ(dev()(destroy), 0);
	load.data = reinterpret_cast<std::uintptr_t>(image.data());
	load.size = image.size();
	load.timeout_ms = 3000 * slowness();
	inject(path(), "lost_completion",
	       R"("queue":0,"opcode":)" + std::to_string(OAC_ADMIN_IDENTIFY));
	const auto began = clock_type::now();
	EXPECT_EQ(dev()(load), ETIME);
	/* And two resets. */
	EXPECT_LT(clock_type::now() - began, std::chrono::milliseconds(8000) * slowness());
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_NEEDS_FIRMWARE));
	load.timeout_ms = 0;
	EXPECT_EQ(dev()(load), 0);
	expect_card_works();
}
