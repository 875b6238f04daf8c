// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The kernel's fail-nth: of all allocations and user copies that this thread makes inside the
// kernel, the nth fails. Which kinds can fail is set up by the guest's suite.
#pragma once

#include <functional>

namespace oac::fault
{

class injector
{
public:
	/* Without fail-nth in the kernel is_there() is false and nothing else may be called. */
	injector();
	~injector();
	injector(const injector &) = delete;
	injector &operator=(const injector &) = delete;

	bool is_there() const { return fd_ >= 0; }

	struct attempt {
		int err;	/* of the call: 0 or an errno */
		bool injected;	/* false: it has fewer than nth places that can fail */
	};
	/* The call must do nothing but the system call under test. */
	attempt run(unsigned nth, const std::function<int()> &call) const;

private:
	void arm(unsigned nth) const;
	bool disarm() const;

	int fd_;
};

} // namespace oac::fault
