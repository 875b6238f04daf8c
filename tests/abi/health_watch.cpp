// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "health_watch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "objects.hpp"

namespace oac::abi
{

health_watch::health_watch(const std::string &node)
	: state_(::open(("/sys/bus/pci/devices/" + pci_address(node) + "/health/state").c_str(),
			O_RDONLY | O_CLOEXEC))
{
	EXPECT_GE(state_.fd(), 0) << node;
}

void health_watch::note() const
{
	char word[32];

	/* Without memory the read fails, and counts all the same. */
	static_cast<void>(!pread(state_.fd(), word, sizeof(word), 0));
}

bool health_watch::wait_for_change(std::chrono::steady_clock::time_point end) const
{
	using std::chrono::milliseconds;
	const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
	pollfd poll_for = { state_.fd(), POLLPRI, 0 };

	return left > left.zero() && poll(&poll_for, 1, static_cast<int>(left.count())) == 1;
}

} // namespace oac::abi
