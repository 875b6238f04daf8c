// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whether another thread or process sleeps in the kernel: for tests that act once somebody waits.
// There is no event for that, so it looks again and again, with a deadline.
#pragma once

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include <sys/types.h>
#include <unistd.h>

namespace support
{

/// As /proc has it, of a thread's or a process's id.
inline char task_state(pid_t task)
{
	std::ifstream file("/proc/" + std::to_string(task) + "/stat");
	std::string line;
	std::getline(file, line);
	const auto name_end = line.rfind(") ");
	return name_end == line.npos ? '?' : line[name_end + 2];
}

/// S: a signal wakes it; D: none does, or only one that kills.
/// false: it was not in that state within 20 s, times slowness.
inline bool wait_until_asleep(pid_t task, char state = 'S', unsigned slowness = 1)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20) * slowness;
	while (task_state(task) != state) {
		if (std::chrono::steady_clock::now() > end)
			return false;
		std::this_thread::sleep_for(std::chrono::microseconds(200));
	}
	return true;
}

} // namespace support
