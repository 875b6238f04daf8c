// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// test_api: the C ABI's tests, one binary for every backend.
#include <cstdlib>

#include "fixture.hpp"

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	api::use_firmware();
	/* Tests of hanging cards end sooner; a loaded machine may need more. */
	setenv("ACCEL_HANG_MS", "500", 0);
	return RUN_ALL_TESTS();
}
