// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "trace.hpp"

#include <algorithm>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace oac::abi
{

own_trace::own_trace(const std::string &events) : enable_(dir_ / "events" / events / "enable")
{
	if (!fs::exists("/sys/kernel/tracing/instances"))
		::mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
	std::error_code error;
	fs::create_directory(dir_, error);
	std::ofstream enable(enable_);
	enable << "1" << std::flush;
	is_there_ = enable.good();
	/* Wakes a reader for one event. */
	std::ofstream(dir_ / "buffer_percent") << "0" << std::flush;
	pipe_.emplace(::open((dir_ / "trace_pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

own_trace::~own_trace()
{
	std::ofstream(enable_) << "0" << std::flush;
	pipe_.reset();
	rmdir(dir_.c_str());
}

std::string own_trace::line(std::initializer_list<std::string> words) const
{
	std::ifstream file(dir_ / "trace");
	std::string one;

	while (std::getline(file, one)) {
		/* Whole words: queue=1 is not queue=11. */
		const std::string padded = one + ' ';

		if (std::all_of(words.begin(), words.end(), [&](const auto &word) {
			    return padded.find(' ' + word + ' ') != padded.npos;
		    }))
			return one;
	}
	return {};
}

bool own_trace::read_next(std::chrono::steady_clock::time_point end) const
{
	using std::chrono::milliseconds;
	const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
	pollfd poll_for = { pipe_->fd(), POLLIN, 0 };
	char text[4096];

	if (left <= left.zero() || poll(&poll_for, 1, static_cast<int>(left.count())) != 1)
		return false;
	return ::read(pipe_->fd(), text, sizeof(text)) > 0 || errno == EAGAIN;
}

} // namespace oac::abi
