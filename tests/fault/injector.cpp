// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "injector.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace oac::fault
{

namespace
{

struct code {
	std::uint64_t from = 0;
	std::uint64_t end = 0;
};

/* Up to the next symbol. */
code find_code(const std::string &function)
{
	std::ifstream symbols("/proc/kallsyms");
	std::vector<std::uint64_t> all;
	std::string line;
	code found;

	while (std::getline(symbols, line)) {
		all.push_back(std::stoull(line, nullptr, 16));
		if (line.substr(line.rfind(' ') + 1) == function)
			found.from = all.back();
	}
	std::sort(all.begin(), all.end());
	const auto next = std::upper_bound(all.begin(), all.end(), found.from);
	if (!found.from || next == all.end())
		throw std::runtime_error("the kernel has no function " + function);
	found.end = *next;
	return found;
}

} // namespace

void set_fault(const std::string &name, const std::string &value)
{
	std::ofstream file("/sys/kernel/debug/" + name);

	file << value << std::flush;
	if (!file.good())
		throw std::runtime_error("cannot set " + name);
}

void spare(const std::string &function)
{
	const code of = function.empty() ? code() : find_code(function);

	for (const std::string kind : { "failslab", "fail_page_alloc" }) {
		set_fault(kind + "/stacktrace-depth", "32");
		set_fault(kind + "/reject-start", std::to_string(of.from));
		set_fault(kind + "/reject-end", std::to_string(of.end));
	}
}

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
