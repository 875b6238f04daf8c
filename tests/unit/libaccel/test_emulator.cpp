// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Without libaccel-emu to be found the library says what to install. (This program is not beside it,
// and its run path does not lead there.)
#include <cerrno>
#include <cstdlib>
#include <string>

#include <dlfcn.h>

#include <gtest/gtest.h>

#include <accel/accel.h>
#include <accel/accel_emu.h>

namespace
{

TEST(emulator, missing_library_is_named)
{
	if (void *found = dlopen(ACCEL_EMU_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {
		dlclose(found);
		GTEST_SKIP() << ACCEL_EMU_LIBRARY " is installed on this system";
	}
	accel_device *device = nullptr;
	EXPECT_EQ(accel_device_open("emu:0", &device), -ENODEV);
	const std::string text = accel_error_text();
	EXPECT_NE(text.find(ACCEL_EMU_LIBRARY), std::string::npos) << text;
	EXPECT_NE(text.find("install libaccel-emu"), std::string::npos) << text;
}

} // namespace
