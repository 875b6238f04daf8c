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
	/* Repeats the last doorbell, should it have got lost on the way: the same count, no harm. */
	void ring_again() noexcept;
	/* Whether that was asked for already. */
	bool has_asked(std::uint32_t seen);
	/* For a timeline's waiter: at the next completion from now. */
	int arm_for_watcher(const void *who);
	/* Whoever sleeps for completions looks again. */
	void wake() noexcept;
	void abandon() noexcept override;
	/* Whether something befell the card that this queue has not asked about yet, or its own end. */
	bool has_news() const noexcept
	{
		return epoch.load(std::memory_order_relaxed) !=
		       epoch_seen.load(std::memory_order_relaxed);
	}
	/* None of the news up to that epoch was for this queue. */
	void see(std::uint32_t now) noexcept
	{
		std::uint32_t before = epoch_seen.load(std::memory_order_relaxed);
		while (before != NEVER &&
		       !epoch_seen.compare_exchange_weak(before, now, std::memory_order_relaxed)) {}
	}
	/* From now on there are always news. */
	void mark_lost() noexcept { epoch_seen.store(NEVER, std::memory_order_relaxed); }

	accel::internal_buffer memory;
	accel::open_queue port;
	accel::ring ring;
	accel::side_lock submit_lock;		/* guards the submission side */
	accel::side_lock reap_lock;		/* guards the reaping side, and the next two */
	bool is_broken = false;			/* the card wrote nonsense into the rings */
	std::uint32_t empty_reaps = 0;
	std::atomic<unsigned> listeners{ 0 };	/* to be told of each reap: see wake_others() */
	/* No epoch of a card that is not lost. */
	static constexpr std::uint32_t NEVER = UINT32_MAX - 1;
	const accel::epoch_counter &epoch;	/* the backend's */
	accel::epoch_counter epoch_seen;
	accel_context *context;
	accel::backend *card;

	std::atomic<std::int64_t> spin_ns;	/* how long polling paid off lately */
	std::atomic<std::int64_t> doubt_ns{ 0 };	/* since when the ring is behind the card's word */
	std::atomic<std::uint32_t> doubted{ 0 };	/* the head, then */

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

/* Once has_news(): 0 (not for this queue), -ESTALE or -ENODEV; no text. */
int look_after_queue(accel_queue &queue) noexcept;
/* The same for who reaps, with the lock of that side: how many completions, or as above. */
int reap_after_loss(accel_queue &queue, accel_completion *to, std::uint32_t max) noexcept;

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
