// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A queue: its ring, and what is needed off the data path to wait for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <accel/accel.h>

#include "backend.hpp"
#include "context.hpp"
#include "fork.hpp"
#include "ring.hpp"
#include "side_lock.hpp"

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

/*
 * Lock order: turn_mutex is never held over anything else; submit_lock, reap_lock and arm_mutex are
 * each the innermost, but for what a backend locks in ring() and arm(). Sides: see ring.hpp.
 */
struct accel_queue final : accel::fork_member {
	accel_queue(accel_context &in, const accel::queue_rings &how, bool is_one_thread);
	accel_queue(const accel_queue &) = delete;
	accel_queue &operator=(const accel_queue &) = delete;
	~accel_queue() = default;

	/*
	 * Asks for an interrupt once completions != seen. who: nullptr for the queue's own threads,
	 * else one that waits for a timeline and must not spoil the request of another.
	 */
	int arm(std::uint32_t seen, const void *who);
	/* For a timeline's waiter: at the next completion from now. */
	int arm_for_watcher(const void *who);
	/* Whoever sleeps for completions looks again. */
	void wake() noexcept;
	void abandon() noexcept override;

	accel::internal_buffer memory;
	accel::open_queue port;
	accel::ring ring;
	accel::side_lock submit_lock;		/* guards the submission side */
	accel::side_lock reap_lock;		/* guards the reaping side, and the next two */
	bool is_broken = false;			/* the card wrote nonsense into the rings */
	std::uint32_t empty_reaps = 0;
	const std::atomic<bool> &lost;		/* the backend's */
	std::atomic<unsigned> listeners{ 0 };	/* to be told of each reap: see wake_others() */
	accel_context *context;
	accel::backend *card;

	std::atomic<std::int64_t> spin_ns;	/* how long polling paid off lately */

	/*
	 * Of several threads that wait for completions one has the turn: it alone arms the
	 * interrupt and sleeps in the backend; it gives the turn on when it leaves.
	 */
	std::mutex turn_mutex;			/* guards has_turn */
	std::condition_variable turn_is_free;
	bool has_turn = false;			/* somebody has it */
	std::atomic<bool> is_asleep{ false };	/* who has it sleeps, or is about to */

	std::mutex arm_mutex;			/* guards all below, and the ARM word */
	std::uint32_t arm_sequence = 0;
	std::uint32_t arm_seen = 0;
	const void *arm_by = nullptr;
	bool is_armed = false;			/* ever */

	accel::fork_entry fork_entry{ *this };	/* last */
};

namespace accel
{

/*
 * Body(queue, args...), which does not throw, with the lock of a side held; what it returns. Compiled
 * once for each way there, the rarer ones as calls at the end, so that no way pays for what another
 * has to save.
 */
template <side_lock accel_queue::*Side, auto Body, typename... Args>
[[gnu::noinline]] int on_contended_side(accel_queue *queue, Args... args) noexcept
{
	(queue->*Side).lock_contended();
	return (queue->*Side).unlock(Body(queue, args...));
}

template <side_lock accel_queue::*Side, auto Body, typename... Args>
[[gnu::noinline]] int on_shared_side(accel_queue *queue, Args... args) noexcept
{
	if (!(queue->*Side).try_lock()) [[unlikely]]
		return on_contended_side<Side, Body>(queue, args...);
	return (queue->*Side).unlock(Body(queue, args...));
}

template <side_lock accel_queue::*Side, auto Body, typename... Args>
inline int on_side(accel_queue *queue, Args... args) noexcept
{
	if ((queue->*Side).is_used())
		return on_shared_side<Side, Body>(queue, args...);
	return Body(queue, args...);
}

} // namespace accel
