// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See log.hpp. One write() per line, so that lines of several cards do not mix.
#include "log.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace oac::vfio_user
{

static constexpr unsigned LINES_PER_SECOND = 10;
static std::atomic<log_level> max_level{ log_level::warning };

void log_set_level(log_level level)
{
	max_level.store(level, std::memory_order_relaxed);
}

static void put(const char *text, int length)
{
	/* Nowhere to report that stderr is gone. */
	if (length > 0 && ::write(STDERR_FILENO, text, static_cast<std::size_t>(length)) < 0)
		return;
}

bool log::has_budget()
{
	timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const auto second = static_cast<std::uint64_t>(now.tv_sec);
	if (second != second_) {
		if (dropped_) {
			char line[160];
			put(line,
			    snprintf(line, sizeof(line), "accel-emu: %.100s: %u lines left out\n",
				     name_.c_str(), dropped_));
		}
		second_ = second;
		lines_ = 0;
		dropped_ = 0;
	}
	if (lines_ == LINES_PER_SECOND) {
		dropped_++;
		return false;
	}
	lines_++;
	return true;
}

void log::write(log_level level, const char *format, ...)
{
	if (level > max_level.load(std::memory_order_relaxed) || !has_budget())
		return;
	static constexpr const char *NAMES[] = { "error: ", "warning: ", "", "debug: " };
	char text[400];
	std::va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	char line[560];
	put(line, snprintf(line, sizeof(line), "accel-emu: %.100s: %s%s\n", name_.c_str(),
			   NAMES[static_cast<int>(level)], text));
}

} // namespace oac::vfio_user
