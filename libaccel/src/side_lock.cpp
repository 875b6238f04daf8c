// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See side_lock.hpp: the way of who does not get it at once.
#include "side_lock.hpp"

namespace accel
{

namespace
{

constexpr unsigned LOOKS = 100;

} // namespace

/*
 * Who sleeps has set AWAITED, and who gets the lock in here does so again, for there may be others:
 * a wake-up too many, never one too few.
 */
void side_lock::lock_contended() noexcept
{
	for (unsigned look = 0; look < LOOKS; look++) {
		pause_cpu();
		if ((state_.load(std::memory_order_relaxed) & HELD) == 0 &&
		    (state_.fetch_or(HELD, std::memory_order_acquire) & HELD) == 0)
			return;
	}
	while (state_.fetch_or(HELD | AWAITED, std::memory_order_acquire) & HELD)
		state_.wait(HELD | AWAITED, std::memory_order_relaxed);
}

/* The one that wakes sets AWAITED again, as do those who come meanwhile: see above. */
int side_lock::wake_one(int result) noexcept
{
	state_.fetch_and(~AWAITED, std::memory_order_relaxed);
	state_.notify_one();
	return result;
}

} // namespace accel
