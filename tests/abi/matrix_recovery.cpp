// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tables of the matrix: events, reset, self-test.
#include "matrix.hpp"
#include "recovery.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace oac::abi
{

TEST_F(matrix, events_open)
{
	drm_oac_events_open good = {};

	walk({ "drm_oac_events_open",
	       DRM_IOCTL_OAC_EVENTS_OPEN,
	       0,
	       [=] { return to_bytes(good); },
	       typed_undo<drm_oac_events_open>([](auto &, auto &now, int err) {
		       if (!err)
			       close(now.fd);
	       }),
	       { { "from",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::one, O_CLOEXEC, 0 },
		     { kind::extra, O_CLOEXEC | O_NONBLOCK, 0 },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, O_CLOEXEC | O_APPEND, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "fd", role::out } } });
}

/* All rungs are forbidden, so that no reset takes from this test what it works with. */
TEST_F(matrix, reset)
{
	const allowed_rungs none(0);
	drm_oac_reset good = {};

	if (!none.is_set())
		GTEST_SKIP() << "the module parameter reset_rungs cannot be written";
	good.rung = OAC_RUNG_SOFT_RESET;
	good.deadline_ns = u64_max;
	walk({ "drm_oac_reset",
	       DRM_IOCTL_OAC_RESET,
	       EACCES,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "rung",
		   role::count,
		   { { kind::zero, OAC_RUNG_ABORT, EINVAL },
		     { kind::one, OAC_RUNG_QUEUE, EINVAL },
		     { kind::extra, OAC_RUNG_CONTEXT, EINVAL },
		     { kind::extra, OAC_RUNG_FLR, EACCES },
		     { kind::extra, OAC_RUNG_FIRMWARE, EACCES },
		     { kind::extra, OAC_RUNG_WEDGED, EINVAL },
		     { kind::over, OAC_RUNG_COUNT, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, EACCES },
		     { kind::one, DRM_OAC_RESET_ONLY, EACCES },
		     { kind::flag, 2, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "generation", role::out },
		 { "pad", role::pad },
		 /* What is forbidden is so at any time. */
		 { "deadline_ns",
		   role::free,
		   { { kind::zero, 0, EACCES },
		     { kind::one, 1, EACCES },
		     { kind::most, u64_max, EACCES } } } } });
}

/* Firmware that does not know the command says so. */
TEST_F(matrix, self_test)
{
	drm_oac_self_test good = {};

	good.deadline_ns = u64_max;
	const int err = dev().call(DRM_IOCTL_OAC_SELF_TEST, &good);
	ASSERT_TRUE(err == 0 || err == EOPNOTSUPP) << err;
	good.failed = 0;
	walk({ "drm_oac_self_test",
	       DRM_IOCTL_OAC_SELF_TEST,
	       err,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "failed", role::out },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, err },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "pad", role::pad },
		 { "deadline_ns",
		   role::free,
		   { { kind::zero, 0, ETIMEDOUT },
		     { kind::one, 1, ETIMEDOUT },
		     { kind::extra, deadline_ms(60000), err },
		     { kind::most, u64_max, err } } } } });
}

} // namespace oac::abi
