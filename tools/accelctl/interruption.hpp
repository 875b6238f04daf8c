// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// SIGINT and SIGTERM, for what goes on until it gets one: as something to poll, so that none is missed
// between a look and the wait behind it, whichever thread it comes to.
#pragma once

#include <chrono>

namespace accelctl
{

/// From when it is made to the end of the program; one is enough.
class interruption
{
public:
	interruption();

	/// Readable once there was a signal.
	int fd() const;
	bool has_come() const { return comes_within(std::chrono::nanoseconds(0)); }
	bool comes_within(std::chrono::nanoseconds time) const;
};

} // namespace accelctl
