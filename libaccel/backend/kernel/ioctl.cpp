// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// drmIoctl() with the library's error convention.
#include "ioctl.hpp"

#include <cerrno>

#include <xf86drm.h>

namespace accel::kernel
{

int ioctl_call(int fd, unsigned long request, void *argument) noexcept
{
	const int saved = errno;
	int result = drmIoctl(fd, request, argument);	/* retries EINTR and EAGAIN */

	if (result < 0)
		result = errno == ETIME ? -ETIMEDOUT : -errno;
	errno = saved;
	return result;
}

} // namespace accel::kernel
