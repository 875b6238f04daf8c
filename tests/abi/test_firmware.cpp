// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// FIRMWARE_LOAD, as far as it leaves the card as it was. OAC_TEST_FIRMWARE names an image that the
// card takes; without it, the tests that stop the firmware are skipped.
#include "device.hpp"

#include <vector>

#include <unistd.h>

#include <hw/oac_firmware.h>

using namespace oac::abi;

class firmware : public device_test
{
protected:
	static drm_oac_firmware_load good(std::vector<char> &image)
	{
		drm_oac_firmware_load load = {};

		load.data = reinterpret_cast<std::uintptr_t>(image.data());
		load.size = image.size();
		return load;
	}

	std::vector<char> junk_ = std::vector<char>(page, 'x');
};

TEST_F(firmware, refuses_sizes_flags_and_pointers)
{
	auto load = good(junk_);

	load.size = 0;
	EXPECT_EQ(dev()(load), EINVAL);
	load.size = OAC_FW_IMAGE_SIZE_MAX + 1ull;
	EXPECT_EQ(dev()(load), EFBIG);
	load.size = u64_max;
	EXPECT_EQ(dev()(load), EFBIG);
	load = good(junk_);
	load.flags = 1;
	EXPECT_EQ(dev()(load), EINVAL);
	load = good(junk_);
	load.data = 0;
	EXPECT_EQ(dev()(load), EFAULT);
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
}

TEST_F(firmware, is_busy_while_a_context_is_open)
{
	const node other = open();
	auto load = good(junk_);

	other.context();
	load.holder = -1;
	EXPECT_EQ(dev()(load), EBUSY);
	EXPECT_EQ(load.holder, getpid());
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
}

TEST_F(firmware, a_refused_image_leaves_the_card_down_and_a_good_one_heals)
{
	auto image = firmware_image();
	auto load = good(junk_);

	if (image.empty())
		GTEST_SKIP() << "no image to heal the card with (OAC_TEST_FIRMWARE)";
	EXPECT_EQ(dev()(load), EBADMSG);
	EXPECT_NE(load.fail, static_cast<std::uint32_t>(OAC_FAIL_NONE));
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_FAILED));
	EXPECT_EQ(dev().info().boot_fail, load.fail);
	drm_oac_context_create create = {};
	EXPECT_EQ(dev()(create), EHOSTDOWN);
	drm_oac_bo_create bo = { page, 0, 0, 0, 0, 0 };
	EXPECT_EQ(dev()(bo), EHOSTDOWN);
	drm_oac_info_get sensors = {};
	sensors.topic = DRM_OAC_INFO_SENSORS;
	EXPECT_EQ(dev()(sensors), 0);
	EXPECT_EQ(sensors.count, 0u);
	/* The module's own limit is the smaller one. */
	load = good(image);
	load.timeout_ms = UINT32_MAX;
	EXPECT_EQ(dev()(load), 0);
	EXPECT_EQ(load.fail, static_cast<std::uint32_t>(OAC_FAIL_NONE));
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
	dev().context();
}
