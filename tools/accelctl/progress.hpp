// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A line on the terminal for work that takes longer than two seconds. Programs never see it: it
// goes to stderr, and only if that is a terminal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace accelctl
{

class progress
{
public:
	progress(std::string what, std::size_t total);
	~progress();
	progress(const progress &) = delete;
	progress &operator=(const progress &) = delete;

	void add_done() { done_++; }

private:
	void show(const std::stop_token &stop);

	std::string what_;
	std::size_t total_;
	std::atomic<std::size_t> done_ = 0;
	std::mutex mutex_;
	std::condition_variable_any wake_;
	std::jthread thread_;
};

} // namespace accelctl
