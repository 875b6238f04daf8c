// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "injector.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace oac::fault
{

injector::injector() : fd_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC))
{
}

injector::~injector()
{
	if (fd_ >= 0)
		close(fd_);
}

void injector::arm(unsigned nth) const
{
	const std::string text = std::to_string(nth);

	if (pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
		throw std::system_error(errno, std::generic_category(), "fail-nth");
}

/* Both calls here may meet the failure themselves: then the call under test was spared it. */
bool injector::disarm() const
{
	char text[16] = {};
	const ssize_t got = pread(fd_, text, sizeof(text) - 1, 0);
	const bool injected = got > 0 && std::atoi(text) == 0;

	while (pwrite(fd_, "0", 1, 0) != 1)
		if (errno != EFAULT)
			throw std::system_error(errno, std::generic_category(), "fail-nth");
	return injected;
}

injector::attempt injector::run(unsigned nth, const std::function<int()> &call) const
{
	arm(nth);
	const int err = call();
	return { err, disarm() };
}

} // namespace oac::fault
