// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// test_api: the C ABI's tests, one binary for every backend.
#include "fixture.hpp"

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	api::use_firmware();
	return RUN_ALL_TESTS();
}
