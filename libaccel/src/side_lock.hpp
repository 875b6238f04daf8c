// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The lock of one side of a queue. Held for some dozens of instructions, or for the system call of
// a submission through the driver; who finds it taken looks a while and then sleeps. Not taken at
// all by queues that one thread uses: see on_side() in queue.hpp.
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

	bool is_used() const noexcept { return is_used_; }
	/* The rest only where it is used. false: somebody has it. */
	bool try_lock() noexcept
	{
		return (state_.fetch_or(HELD, std::memory_order_acquire) & HELD) == 0;
	}
	/* Once try_lock() has failed. */
	void lock_contended() noexcept;
	/* Gives result back, so that a function may end by this call. */
	int unlock(int result) noexcept
	{
		if (state_.fetch_sub(HELD, std::memory_order_release) != HELD) [[unlikely]]
			return wake_one(result);
		return result;
	}
	/* In the child of a fork, where the holder does not exist. */
	void reset() noexcept { state_.store(FREE, std::memory_order_relaxed); }

private:
	static constexpr std::uint32_t FREE = 0;
	static constexpr std::uint32_t HELD = 1;	/* a bit, and */
	static constexpr std::uint32_t AWAITED = 2;	/* another: somebody sleeps, or may */

	int wake_one(int result) noexcept;

	std::atomic<std::uint32_t> state_{ FREE };
	bool is_used_;
};

} // namespace accel
