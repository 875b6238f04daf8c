// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whether another thread of this process sleeps in the kernel: for tests that act once somebody
// waits. There is no event for that, so it looks again and again, with a deadline.
#pragma once

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include <sys/types.h>
#include <unistd.h>

namespace support
{

inline char thread_state(pid_t thread)
{
	std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
	std::string line;
	std::getline(file, line);
	const auto name_end = line.rfind(") ");
	return name_end == line.npos ? '?' : line[name_end + 2];
}

/// false: it was not asleep within 20 s.
inline bool wait_until_asleep(pid_t thread)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
	while (thread_state(thread) != 'S') {
		if (std::chrono::steady_clock::now() > end)
			return false;
		std::this_thread::sleep_for(std::chrono::microseconds(200));
	}
	return true;
}

} // namespace support
