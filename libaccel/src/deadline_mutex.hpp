// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A mutex for what is held while a card is waited for: whoever waits for it has a deadline, too, so
// that a card that does not answer one thread keeps no other thread longer than that one agreed to.
// Not for the data path.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "clock.hpp"
#include "error.hpp"

namespace accel
{

class deadline_mutex
{
public:
	/* false: the deadline passed, and it is not locked. */
	bool lock_until(std::int64_t deadline)
	{
		std::unique_lock lock(mutex_);
		const auto is_free = [&] { return !is_held_; };
		if (deadline == INT64_MAX)
			is_free_.wait(lock, is_free);
		else if (!is_free_.wait_until(lock, time_point(deadline), is_free))
			return false;
		is_held_ = true;
		return true;
	}
	void unlock() noexcept
	{
		{
			const std::lock_guard lock(mutex_);
			is_held_ = false;
		}
		is_free_.notify_one();
	}

private:
	/* steady_clock is CLOCK_MONOTONIC. */
	static std::chrono::steady_clock::time_point time_point(std::int64_t deadline)
	{
		return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
	}

	std::mutex mutex_;		/* guards is_held_ */
	std::condition_variable is_free_;
	bool is_held_ = false;
};

/* Holds one. Throws ETIMEDOUT; object: "card emu:3". */
class deadline_lock
{
public:
	deadline_lock(deadline_mutex &mutex, std::int64_t deadline, const std::string &object)
		: mutex_(mutex)
	{
		if (!mutex.lock_until(deadline))
			throw failure(ETIMEDOUT,
				      object + ": other threads' calls keep it busy; try again, "
					       "or allow more time");
	}
	deadline_lock(const deadline_lock &) = delete;
	deadline_lock &operator=(const deadline_lock &) = delete;
	~deadline_lock() { mutex_.unlock(); }

private:
	deadline_mutex &mutex_;
};

} // namespace accel
