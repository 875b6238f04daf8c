// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A test that does not come to its end takes its program with it, and says so.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace faults
{

class deadline
{
public:
	explicit deadline(std::chrono::seconds limit)
		: watch_([this, limit](std::stop_token stop) {
			  std::unique_lock lock(mutex_);
			  over_.wait_for(lock, stop, limit, [] { return false; });
			  if (stop.stop_requested())
				  return;
			  std::fprintf(stderr, "hang: this test has not ended for %lld s\n",
				       static_cast<long long>(limit.count()));
			  std::abort();
		  })
	{
	}

private:
	std::mutex mutex_;
	std::condition_variable_any over_;
	std::jthread watch_;
};

} // namespace faults
