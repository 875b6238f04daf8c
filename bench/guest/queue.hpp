// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A queue on the kernel driver by raw ioctls, of either kind, with no-ops in it: only what guest_bench
// measures. Everything throws std::system_error; the calls that are measured abort instead.
#pragma once

#include <cstdint>

#include <drm/oac_accel.h>
#include <hw/oac_queue.h>

namespace guest
{

class queue
{
public:
	/* flags: DRM_OAC_QUEUE_*. Lives as long as the process. */
	queue(int node, std::uint32_t flags);
	queue(const queue &) = delete;
	queue &operator=(const queue &) = delete;

	/*
	 * No-ops; the first one may be a copy instead that takes the card long enough for the waiter
	 * to be asleep when it ends. What the guest is idle for does not count.
	 */
	void write(unsigned count, bool is_first_slow);
	/* One store to the doorbell page, or one ioctl. */
	void submit();
	/* Until all that was submitted has completed. The driver arms the interrupt. */
	void wait_ioctl();
	void reap();

	/* false: the driver has no fences. */
	bool make_syncobj();
	void submit_and_fence();
	void wait_syncobj();

private:
	int node_;
	bool is_kernel_submit_;
	std::uint32_t queue_ = 0, syncobj_ = 0;
	char *doorbell_ = nullptr;
	oac_cmd *commands_ = nullptr;
	oac_cq_tail *published_ = nullptr;
	std::uint32_t tail_ = 0, head_ = 0;
};

} // namespace guest
