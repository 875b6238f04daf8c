// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See machine.hpp. What all processes took comes from /proc/stat, which counts in ticks of 10 ms: a
// window of less than some 300 ms says little.
#include "machine.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace bench
{

namespace
{

std::vector<pid_t> helpers;

std::vector<int> allowed_cores()
{
	std::vector<int> found;
	cpu_set_t set;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (int core = 0; core < CPU_SETSIZE; core++)
			if (CPU_ISSET(core, &set))
				found.push_back(core);
	if (found.empty())
		found.push_back(0);
	return found;
}

/* Time all cores were not idle, s; what the hypervisor took counts, too. */
double all_busy()
{
	std::ifstream file("/proc/stat");
	std::string word;
	double fields[8] = {};
	file >> word;
	for (double &field : fields)
		file >> field;
	const double idle = fields[3] + fields[4];
	double sum = 0;
	for (const double field : fields)
		sum += field;
	return (sum - idle) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double seconds(const timespec &time)
{
	return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double ours_busy()
{
	timespec time{};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	double sum = seconds(time);
	for (const pid_t process : helpers) {
		clockid_t clock;
		if (clock_getcpuclockid(process, &clock) == 0 && clock_gettime(clock, &time) == 0)
			sum += seconds(time);
	}
	return sum;
}

void for_each_thread(const std::string &process,
		     const std::function<void(pid_t, const std::string &)> &visit)
{
	std::error_code ignored;
	for (const auto &entry :
	     std::filesystem::directory_iterator("/proc/" + process + "/task", ignored)) {
		std::string name;
		std::ifstream(entry.path() / "comm") >> name;
		visit(static_cast<pid_t>(std::stol(entry.path().filename().string())), name);
	}
}

} // namespace

std::int64_t now_ns()
{
	return std::chrono::duration_cast<std::chrono::nanoseconds>(
		       std::chrono::steady_clock::now().time_since_epoch())
		.count();
}

const std::vector<int> &cores()
{
	static const std::vector<int> found = allowed_cores();
	return found;
}

void pin(pid_t tid, unsigned whose)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cores()[std::min<std::size_t>(whose, cores().size() - 1)], &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

void pin_threads(const std::string &name, unsigned whose)
{
	for_each_thread("self", [&](pid_t tid, const std::string &its_name) {
		if (its_name.starts_with(name))
			pin(tid, whose);
	});
}

void pin_process(pid_t process, unsigned whose)
{
	for_each_thread(std::to_string(process),
			[&](pid_t tid, const std::string &) { pin(tid, whose); });
}

void count_as_ours(pid_t process)
{
	helpers.push_back(process);
}

void count_no_longer(pid_t process)
{
	std::erase(helpers, process);
}

watch_others::watch_others() : begin_(now_ns()), all_(all_busy()), ours_(ours_busy())
{
}

double watch_others::load() const
{
	const double wall = static_cast<double>(now_ns() - begin_) / 1e9;
	const double others = (all_busy() - all_) - (ours_busy() - ours_);
	return wall > 0 ? std::max(0.0, others / wall) : 0;
}

std::int64_t wait_for_quiet(double load, std::int64_t at_most_ns)
{
	const std::int64_t begin = now_ns();
	while (now_ns() - begin < at_most_ns) {
		const watch_others others;
		/* The sample itself: load is a quantity over time. */
		std::this_thread::sleep_for(std::chrono::milliseconds(300));
		if (others.load() < load)
			break;
	}
	return now_ns() - begin;
}

} // namespace bench
