// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "interruption.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>

namespace accelctl
{

namespace
{

/* What a handler may use is global. */
volatile std::sig_atomic_t event_fd = -1;

} // namespace

interruption::interruption()
{
	struct sigaction action = {};

	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		throw std::system_error(errno, std::generic_category(), "eventfd");
	action.sa_handler = [](int) {
		const int before = errno;
		eventfd_write(event_fd, 1);
		errno = before;
	};
	sigaction(SIGINT, &action, nullptr);
	sigaction(SIGTERM, &action, nullptr);
}

int interruption::fd() const
{
	return event_fd;
}

bool interruption::comes_within(std::chrono::nanoseconds time) const
{
	using std::chrono::steady_clock;
	const auto end = steady_clock::now() + time;
	pollfd poll_for = { event_fd, POLLIN, 0 };

	for (;;) {
		const auto left = std::max(end - steady_clock::now(), steady_clock::duration(0));
		const auto whole = std::chrono::floor<std::chrono::seconds>(left);
		const timespec wait = { whole.count(), static_cast<long>((left - whole).count()) };
		const int result = ppoll(&poll_for, 1, &wait, nullptr);

		if (result >= 0)
			return result == 1;
	}
}

} // namespace accelctl
