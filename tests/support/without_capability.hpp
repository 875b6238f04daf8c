// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// For tests of what takes a privilege, run by somebody who has it.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace support
{

/* Drops one effective capability for as long as it lives. */
class without_capability
{
public:
	explicit without_capability(unsigned capability)
	{
		syscall(SYS_capget, &header_, saved_);
		__user_cap_data_struct fewer[2] = { saved_[0], saved_[1] };
		fewer[capability / 32].effective &= ~(1u << capability % 32);
		syscall(SYS_capset, &header_, fewer);
	}
	~without_capability() { syscall(SYS_capset, &header_, saved_); }

private:
	__user_cap_header_struct header_ = { _LINUX_CAPABILITY_VERSION_3, 0 };
	__user_cap_data_struct saved_[2] = {};
};

} // namespace support
