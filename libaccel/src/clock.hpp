// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Time inside the library: CLOCK_MONOTONIC nanoseconds, and absolute deadlines made once from the
// timeouts of the API, so that a call that waits in several places waits for as long as it was told.
#pragma once

#include <climits>
#include <cstdint>
#include <ctime>

#include <accel/accel.h>

namespace accel
{

constexpr std::int64_t DEFAULT_TIMEOUT_NS = 30'000'000'000;
constexpr std::int64_t NS_PER_S = 1'000'000'000;
constexpr std::int64_t NS_PER_MS = 1'000'000;
constexpr std::int64_t NS_PER_US = 1'000;

inline std::int64_t now_ns() noexcept
{
	timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* INT64_MAX = never. A value that no API timeout may have is the caller's to refuse. */
inline std::int64_t deadline_after(std::int64_t timeout) noexcept
{
	if (timeout == ACCEL_TIMEOUT_INFINITE)
		return INT64_MAX;
	if (timeout == ACCEL_TIMEOUT_DEFAULT)
		timeout = DEFAULT_TIMEOUT_NS;
	const std::int64_t now = now_ns();
	return timeout > INT64_MAX - 1 - now ? INT64_MAX - 1 : now + timeout;
}

constexpr bool is_timeout(std::int64_t timeout) noexcept
{
	return timeout >= 0 || timeout == ACCEL_TIMEOUT_DEFAULT;
}

/* For ppoll(): what is left until the deadline, never negative; nullptr for a deadline of never. */
class time_left
{
public:
	explicit time_left(std::int64_t deadline) noexcept : is_forever_(deadline == INT64_MAX)
	{
		const std::int64_t left = is_forever_ ? 0 : deadline - now_ns();
		if (left > 0)
			left_ = { left / NS_PER_S, left % NS_PER_S };
	}
	const timespec *get() const noexcept { return is_forever_ ? nullptr : &left_; }
	/* For epoll_wait(): rounded up. */
	int milliseconds() const noexcept
	{
		if (is_forever_)
			return -1;
		const std::int64_t ms =
			left_.tv_sec * 1000 + (left_.tv_nsec + NS_PER_MS - 1) / NS_PER_MS;
		return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
	}

private:
	bool is_forever_;
	timespec left_{};
};

} // namespace accel
