// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The kernel's fail-nth: of all allocations and user copies that this thread makes inside the
// kernel, the nth fails. Which kinds can fail is set up by the guest's suite.
#pragma once

#include <functional>
#include <string>

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

/* A file of the kernel's fault injection, such as "failslab/probability". */
void set_fault(const std::string &name, const std::string &value);

/*
 * No allocation fails inside this function of the kernel and in what it calls: it does not survive
 * that, and is not ours to mend. One at a time; "": all fail again.
 */
void spare(const std::string &function);

} // namespace oac::fault
