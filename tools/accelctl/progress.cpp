// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A line on the terminal for long work.
#include "progress.hpp"

#include <chrono>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

namespace accelctl
{

progress::progress(std::string what, std::size_t total) : what_(std::move(what)), total_(total)
{
	if (isatty(STDERR_FILENO))
		thread_ = std::jthread([this](const std::stop_token &stop) { show(stop); });
}

progress::~progress() = default;

void progress::show(const std::stop_token &stop)
{
	using std::chrono::milliseconds;
	const auto start = std::chrono::steady_clock::now();
	std::unique_lock lock(mutex_);
	bool is_shown = false;

	for (milliseconds wait(2000);; wait = milliseconds(500)) {
		wake_.wait_for(lock, stop, wait, [] { return false; });
		if (stop.stop_requested())
			break;
		const std::chrono::duration<double> passed =
			std::chrono::steady_clock::now() - start;
		fmt::print(stderr, "\r{}: {} of {} done, {:.0f} s ", what_, done_.load(), total_,
			   passed.count());
		std::fflush(stderr);
		is_shown = true;
	}
	if (is_shown)
		std::fputs("\r\033[K", stderr);
}

} // namespace accelctl
