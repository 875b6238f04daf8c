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
 * The failed try has put HELD over what may have been AWAITED, so the last step below always says
 * AWAITED: a wake-up too many, never one too few.
 */
void side_lock::lock_contended() noexcept
{
	for (unsigned look = 0; look < LOOKS; look++) {
		pause_cpu();
		if (state_.load(std::memory_order_relaxed) == FREE)
			break;
	}
	while (state_.exchange(AWAITED, std::memory_order_acquire) != FREE)
		state_.wait(AWAITED, std::memory_order_relaxed);
}

} // namespace accel
