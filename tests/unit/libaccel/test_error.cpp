// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// guard(), the thread's error record, and what the card's codes become.
#include "error.hpp"

#include <cstring>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include <accel/accel.h>
#include <hw/oac_regs.h>

#include "codes.hpp"

using accel::failure;
using accel::guard;

namespace
{

TEST(error, guard_passes_results)
{
	EXPECT_EQ(guard([] { return 0; }), 0);
	EXPECT_EQ(guard([] { return 7; }), 7);
}

TEST(error, guard_maps_exceptions)
{
	EXPECT_EQ(guard([]() -> int { throw std::bad_alloc(); }), -ENOMEM);
	EXPECT_STRNE(accel_error_text(), "");
	EXPECT_EQ(guard([]() -> int { throw failure(ENOSPC, "card emu:3: full; free some"); }),
		  -ENOSPC);
	EXPECT_STREQ(accel_error_text(), "card emu:3: full; free some");
	EXPECT_EQ(guard([]() -> int {
			  throw std::system_error(EACCES, std::generic_category(), "open");
		  }),
		  -EACCES);
	EXPECT_EQ(guard([]() -> int {
			  throw std::system_error(0, std::generic_category(), "nothing");
		  }),
		  -EIO);
	EXPECT_EQ(guard([]() -> int { throw std::logic_error("ours"); }), -EIO);
	EXPECT_STREQ(accel_error_text(), "ours");
}

TEST(error, success_keeps_the_text)
{
	guard([]() -> int { throw failure(EIO, "first"); });
	guard([] { return 0; });
	EXPECT_STREQ(accel_error_text(), "first");
}

TEST(error, each_thread_has_its_own)
{
	guard([]() -> int { throw failure(EIO, "mine"); });
	std::thread([] {
		EXPECT_STREQ(accel_error_text(), "");
		EXPECT_EQ(accel::error_literal(EAGAIN, "theirs"), -EAGAIN);
		EXPECT_STREQ(accel_error_text(), "theirs");
	}).join();
	EXPECT_STREQ(accel_error_text(), "mine");
}

TEST(error, long_texts_are_cut)
{
	guard([]() -> int { throw failure(EIO, std::string(10000, 'x')); });
	EXPECT_GT(strlen(accel_error_text()), 100u);
	EXPECT_LT(strlen(accel_error_text()), 1000u);
}

TEST(error, api_names_the_argument)
{
	EXPECT_EQ(accel_device_open("emu:0", nullptr), -EINVAL);
	EXPECT_STREQ(accel_error_text(), "device: NULL; pass a valid pointer");
	EXPECT_EQ(accel_queue_submit(nullptr), -EINVAL);
	EXPECT_EQ(accel_queue_nop(nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_queue_reap(nullptr, nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_device_close(nullptr), 0);
	EXPECT_EQ(accel_device_string(nullptr, ACCEL_STRING_NAME), nullptr);
}

TEST(codes, every_status_has_a_result_and_a_text)
{
#define X(name, text) \
	EXPECT_TRUE(accel::is_status(OAC_ST_##name)); \
	EXPECT_STREQ(accel_code_text(OAC_ST_##name), text); \
	if (OAC_ST_##name != OAC_ST_SUCCESS && OAC_ST_##name != OAC_ST_DOORBELL) { \
		EXPECT_LT(accel::status_result(OAC_ST_##name), 0); \
		EXPECT_NE(accel::status_result(OAC_ST_##name), -EPROTO) << #name; \
	}
	OAC_STATUSES(X)
#undef X
	EXPECT_EQ(accel::status_result(OAC_ST_SUCCESS), 0);
	EXPECT_EQ(accel::status_result(OAC_ST_ACCESS_FAULT), -EFAULT);
	EXPECT_EQ(accel::status_result(OAC_ST_ABORTED), -ECANCELED);
}

TEST(codes, unknown_codes)
{
	EXPECT_FALSE(accel::is_status(0x1f));
	EXPECT_EQ(accel::status_result(0x1f), -EPROTO);
	EXPECT_EQ(accel::status_result(0xffff), -EPROTO);
	EXPECT_NE(accel_code_text(0xdead), nullptr);
	EXPECT_STREQ(accel::state_text(0x77), "unknown");
	EXPECT_STREQ(accel::state_text(OAC_STATE_RUNNING), "running");
}

} // namespace
