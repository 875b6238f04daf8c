// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The lock of one side of a queue. Held for some dozens of instructions, or for the system call of
// a submission through the driver; who finds it taken looks a while and then sleeps. Not taken at
// all by queues that one thread uses.
#pragma once

#include <atomic>
#include <cstdint>

namespace accel
{

inline void pause_cpu() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("yield");
#endif
}

class side_lock
{
public:
	explicit side_lock(bool is_used) noexcept : is_used_(is_used) {}

	void lock() noexcept
	{
		if (is_used_ && state_.exchange(HELD, std::memory_order_acquire) != FREE)
			[[unlikely]]
			lock_contended();
	}
	void unlock() noexcept
	{
		if (is_used_ && state_.exchange(FREE, std::memory_order_release) == AWAITED)
			[[unlikely]]
			state_.notify_one();
	}
	bool is_used() const noexcept { return is_used_; }
	/* In the child of a fork, where the holder does not exist. */
	void reset() noexcept { state_.store(FREE, std::memory_order_relaxed); }

private:
	static constexpr std::uint32_t FREE = 0;
	static constexpr std::uint32_t HELD = 1;
	static constexpr std::uint32_t AWAITED = 2;	/* held, and somebody sleeps */

	void lock_contended() noexcept;

	std::atomic<std::uint32_t> state_{ FREE };
	bool is_used_;
};

} // namespace accel
