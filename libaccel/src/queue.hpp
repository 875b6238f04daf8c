// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A queue: its ring, and what is needed off the data path to wait for it.
#pragma once

#include <atomic>
#include <mutex>

#include <accel/accel.h>

#include "backend.hpp"
#include "context.hpp"
#include "ring.hpp"

namespace accel
{

/* The card's side of a queue; destroyed before the memory it works on. */
class open_queue
{
public:
	open_queue(backend &card, std::uint32_t context, const queue_rings &rings)
		: card_(card), port_(card.queue_create(context, rings))
	{
	}
	open_queue(const open_queue &) = delete;
	open_queue &operator=(const open_queue &) = delete;
	~open_queue() { card_.queue_destroy(port_.queue); }
	const queue_port *operator->() const noexcept { return &port_; }

private:
	backend &card_;
	queue_port port_;
};

} // namespace accel

struct accel_queue {
	accel_queue(accel_context &in, std::uint32_t depth, std::uint32_t depth_log2,
		    std::uint32_t priority);
	accel_queue(const accel_queue &) = delete;
	accel_queue &operator=(const accel_queue &) = delete;

	/*
	 * Asks for an interrupt once completions != seen. who: nullptr for the queue's own thread,
	 * else one that waits for a timeline and must not spoil the request of another.
	 */
	int arm(std::uint32_t seen, const void *who);
	/* For a timeline's waiter: at the next completion from now. */
	int arm_for_watcher(const void *who);

	accel::internal_buffer memory;
	accel::open_queue port;
	accel::ring ring;
	const std::atomic<bool> &lost;		/* the backend's */
	accel_context *context;
	accel::backend *card;
	bool is_broken = false;			/* the card wrote nonsense into the rings */
	std::uint32_t empty_reaps = 0;

	std::int64_t spin_ns;			/* how long polling paid off lately */

	std::mutex arm_mutex;			/* guards all below, and the ARM word */
	std::uint32_t arm_sequence = 0;
	std::uint32_t arm_seen = 0;
	const void *arm_by = nullptr;
	bool is_armed = false;			/* ever */
};
