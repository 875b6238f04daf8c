// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Booting other firmware: good, damaged, recovery, and who may not. Each test leaves the card
// running the good image.
#include "fixture.hpp"

#include <cstring>

#include <unistd.h>

namespace
{

class firmware_test : public api::card_test
{
protected:
	void SetUp() override
	{
		card_test::SetUp();
		if (HasFatalFailure())
			return;
		if (api::good_firmware().empty())
			GTEST_SKIP() << "no image: set ACCEL_TEST_FIRMWARE";
		int result = load(api::good_firmware());
		if (result == -EPERM)
			GTEST_SKIP() << "no right to load firmware: run as root";
		ASSERT_EQ(result, 0) << accel_error_text();
		may_load_ = true;
	}

	void TearDown() override
	{
		if (may_load_ && string(ACCEL_STRING_STATE) != "running") {
			EXPECT_EQ(load(api::good_firmware()), 0) << accel_error_text();
		}
	}

	int load(std::span<const std::byte> image)
	{
		return accel_firmware_load(device().get(), image.data(), image.size(),
					   ACCEL_TIMEOUT_DEFAULT);
	}

	/// The card refuses the image, says why, does nothing, and recovers.
	void expect_refused(std::span<const std::byte> image, std::string_view reason)
	{
		std::uint64_t failures = counter("boot_failures");

		EXPECT_EQ(load(image), -EBADMSG);
		EXPECT_NE(std::string_view(accel_error_text()).find(reason), std::string_view::npos)
			<< accel_error_text();
		EXPECT_EQ(string(ACCEL_STRING_STATE), "failed");
		EXPECT_EQ(string(ACCEL_STRING_FAIL_REASON), reason);
		EXPECT_FALSE(device().string(ACCEL_STRING_FIRMWARE_VERSION));

		accel_context *context = nullptr;
		EXPECT_EQ(accel_context_create(device().get(), &context), -EHOSTDOWN);
		EXPECT_EQ(context, nullptr);

		ASSERT_EQ(load(api::good_firmware()), 0) << accel_error_text();
		EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
		EXPECT_FALSE(device().string(ACCEL_STRING_FAIL_REASON));
		EXPECT_EQ(counter("boot_failures"), failures + 1);
		api::expect_works(device());
	}

private:
	bool may_load_ = false;
};

TEST_F(firmware_test, good_image_boots_and_works)
{
	std::uint64_t boots = counter("boots");
	ASSERT_EQ(load(api::good_firmware()), 0) << accel_error_text();
	EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
	EXPECT_EQ(counter("boots"), boots + 1);
	api::expect_works(device());
}

TEST_F(firmware_test, damaged_image_is_refused)
{
	auto image = api::good_firmware();
	image[image.size() / 2] ^= std::byte{ 0x10 };
	expect_refused(image, "the image is not signed by a key this card trusts");
}

TEST_F(firmware_test, truncated_image_is_refused)
{
	auto image = api::good_firmware();
	image.resize(image.size() - 64);
	expect_refused(image, "the image is shorter than its header says");
}

TEST_F(firmware_test, another_file_is_refused)
{
	std::vector<std::byte> image(api::good_firmware().size(), std::byte{ 'x' });
	expect_refused(image, "the file is not a firmware image");
}

TEST_F(firmware_test, arguments_are_checked)
{
	auto &image = api::good_firmware();
	EXPECT_EQ(accel_firmware_load(device().get(), image.data(), 0, -1), -EINVAL);
	EXPECT_EQ(accel_firmware_load(device().get(), nullptr, image.size(), -1), -EINVAL);
	EXPECT_EQ(accel_firmware_load(nullptr, image.data(), image.size(), -1), -EINVAL);
	EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
}

TEST_F(firmware_test, no_time_is_no_boot)
{
	const std::uint64_t boots = counter("boots");
	EXPECT_EQ(accel_firmware_load(device().get(), api::good_firmware().data(),
				      api::good_firmware().size(), 0),
		  -ETIMEDOUT);
	EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
	EXPECT_EQ(counter("boots"), boots);
}

TEST_F(firmware_test, open_contexts_forbid_it)
{
	accel::context context(device());
	EXPECT_EQ(load(api::good_firmware()), -EBUSY);
	EXPECT_NE(std::string_view(accel_error_text()).find(std::to_string(getpid())),
		  std::string_view::npos)
		<< accel_error_text();
	EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
	accel::queue queue(context);
	EXPECT_DONE(api::run(queue, [&](std::uint32_t tag) { return queue.try_nop(tag); }));
}

} // namespace
