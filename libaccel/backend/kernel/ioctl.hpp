// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The one way into the kernel: every ioctl of the library goes through ioctl_call().
#pragma once

namespace accel::kernel
{

/*
 * 0 or a positive result, or -Exxx; an interrupted call is made again. ETIME, which means the
 * same here, comes back as -ETIMEDOUT. Logs nothing, does not touch errno as seen by the caller.
 */
int ioctl_call(int fd, unsigned long request, void *argument) noexcept;

} // namespace accel::kernel
