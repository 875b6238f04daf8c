// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// test_faults: one program for every backend; the environment decides, as for test_api.
#include <cstdlib>

#include "fixture.hpp"

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	api::use_firmware();
	/* What hangs is found sooner; a loaded machine may need more. */
	setenv("ACCEL_HANG_MS", "300", 0);
	return RUN_ALL_TESTS();
}
