// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A thread that does one thing at a time beside the fuzzer's own: two calls meet in the kernel.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace oac::fuzz
{

class side_thread
{
public:
	side_thread() : thread_([this] { work(); }) {}
	~side_thread()
	{
		begin(nullptr);
		thread_.join();
	}
	side_thread(const side_thread &) = delete;
	side_thread &operator=(const side_thread &) = delete;

	/* An empty one ends the thread. */
	void begin(std::function<void()> what)
	{
		const std::lock_guard lock(mutex_);

		what_ = std::move(what);
		is_busy_ = true;
		changed_.notify_all();
	}
	void wait()
	{
		std::unique_lock lock(mutex_);

		changed_.wait(lock, [this] { return !is_busy_; });
	}

private:
	void work()
	{
		std::unique_lock lock(mutex_);

		for (;;) {
			changed_.wait(lock, [this] { return is_busy_; });
			if (!what_)
				return;
			lock.unlock();
			what_();
			lock.lock();
			is_busy_ = false;
			changed_.notify_all();
		}
	}

	std::mutex mutex_;
	std::condition_variable changed_;
	std::function<void()> what_;
	bool is_busy_ = false;
	std::thread thread_;	/* last: it uses all the others */
};

} // namespace oac::fuzz
