// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A thread that looks after something: when it is told to, at each signal of a descriptor that
// somebody else may read, when the other end of a connection hangs up, and otherwise after a while
// of its own choosing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "unique_fd.hpp"

namespace accel::direct
{

class watch_thread
{
public:
	/* look(): does not throw; returns when to look next at the latest, as a deadline. */
	using looker = std::function<std::int64_t()>;
	watch_thread(int signal_fd, int hang_up_fd, looker look);
	watch_thread(const watch_thread &) = delete;
	watch_thread &operator=(const watch_thread &) = delete;
	~watch_thread() { stop(); }

	void wake() const noexcept;
	/* Waits for a look that is going on. Not from within one. */
	void stop() noexcept;

private:
	void run();

	looker look_;
	unique_fd epoll_;
	unique_fd wake_;
	std::atomic<bool> is_stopping_{ false };
	std::thread thread_;
};

} // namespace accel::direct
