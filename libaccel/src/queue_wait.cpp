// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Waiting for completions: poll for as long as that paid off lately, arm the card's interrupt, look
// once more, sleep in the backend. The ARM word is shared by the queue's own thread and by threads
// that wait for timelines of the context; who arms and what may be overwritten is all in here. Of
// several threads that wait for completions one sleeps in the backend, the others for their turn.
#include "queue.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.hpp"
#include "codes.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr std::int64_t SPIN_MIN_NS = 1'000;
constexpr std::int64_t SPIN_MAX_NS = 20'000;
constexpr unsigned LOOKS_PER_CLOCK = 32;
/* Nothing came for so long: the doorbell is rung again. */
constexpr std::int64_t PATIENCE_NS = accel::NS_PER_S;
/* How long a card in state ERROR may take to abort what it was given meanwhile. */
constexpr std::int64_t ABORT_GRACE_NS = 500 * accel::NS_PER_MS;

/* With one CPU the card's thread (or the interrupt) cannot run while we look. */
bool has_cpu_to_spin()
{
	/* The host's, not this thread's: the card is elsewhere, wherever we are pinned. */
	static const bool has = sysconf(_SC_NPROCESSORS_ONLN) != 1;
	return has;
}

/* true: something is ready. The time given to polling follows whether it helps. */
bool spin(accel_queue &queue, std::int64_t deadline)
{
	if (!has_cpu_to_spin())
		return false;
	const std::int64_t spin_ns = queue.spin_ns.load(std::memory_order_relaxed);
	const std::int64_t end = std::min(deadline, accel::now_ns() + spin_ns);
	do {
		for (unsigned i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (queue.ring.ready() > 0) {
				queue.spin_ns.store(std::min(spin_ns * 2, SPIN_MAX_NS),
						    std::memory_order_relaxed);
				return true;
			}
			accel::pause_cpu();
		}
	} while (accel::now_ns() < end);
	queue.spin_ns.store(std::max(spin_ns / 2, SPIN_MIN_NS), std::memory_order_relaxed);
	return false;
}

int queue_failed(accel_queue &queue, const accel::queue_progress &progress)
{
	char where[64] = "";
	if (progress.fault_addr)
		std::snprintf(where, sizeof(where), " (address %#llx)",
			      static_cast<unsigned long long>(progress.fault_addr));
	throw failure(EIO, accel::card_text(*queue.card) + ": queue " +
				   std::to_string(queue.port->queue) +
				   " is in error: " + accel_code_text(progress.status) + where +
				   "; destroy it and create another");
}

/*
 * The queue is in state ERROR and the ring is empty. What was handed over is being aborted: give
 * the card a moment, for the backend does not sleep on a queue in error. Returns whether to look on.
 */
bool wait_for_aborts(accel_queue &queue, std::int64_t deadline)
{
	if (!queue.ring.is_waiting())
		return false;
	const std::int64_t until = std::min(deadline, accel::now_ns() + ABORT_GRACE_NS);
	pollfd fds[2] = { { queue.card->queue_event_fd(queue.port->queue), POLLIN, 0 },
			  { queue.card->lost_fd(), POLLRDHUP, 0 } };
	while (queue.ring.ready() == 0) {
		if (queue.arm(queue.ring.head(), nullptr) < 0 || queue.ring.ready() > 0)
			break;
		if (accel::now_ns() >= until)
			return false;
		const accel::time_left left(until);
		if (ppoll(fds, 2, left.get(), nullptr) <= 0)
			continue;
		if (fds[1].revents) {
			queue.card->look();
			break;
		}
		eventfd_t count;
		eventfd_read(fds[0].fd, &count);
	}
	return true;
}

/*
 * The driver's line says that more commands have ended than the ring shows, or has a state that there
 * is not. The card writes the ring first, so one of the two is not so. The next batch may put it right;
 * else the ring cannot be used. why: what the card says.
 */
int doubt(accel_queue &queue, std::uint32_t seen, std::int64_t deadline, const char *why)
{
	const std::int64_t now = accel::now_ns();
	const std::int64_t since = queue.doubt_ns.load(std::memory_order_relaxed);
	if (since == 0 || queue.doubted.load(std::memory_order_relaxed) != seen) {
		queue.doubted.store(seen, std::memory_order_relaxed);
		queue.doubt_ns.store(now, std::memory_order_relaxed);
	} else if (now - since > PATIENCE_NS) {
		throw failure(EPROTO, accel::card_text(*queue.card) + ": queue " +
					      std::to_string(queue.port->queue) +
					      ": the card says that " + why +
					      "; destroy the queue and reset the card");
	}
	if (now >= deadline)
		return -ETIMEDOUT;
	const timespec pause{ 0, 100'000 };
	nanosleep(&pause, nullptr);
	return 0;
}

/* Sleeps once. 0: look again; -ETIMEDOUT, -EHOSTDOWN or -ENODEV. Throws EIO for a queue in error. */
int sleep(accel_queue &queue, std::int64_t deadline)
{
	const std::uint32_t seen = queue.ring.head();
	accel::queue_progress progress;
	const std::int64_t until =
		deadline == 0 ? 0 : std::min(deadline, accel::now_ns() + PATIENCE_NS);
	int result = queue.card->queue_wait(queue.port->queue, seen, until, &progress);
	/* Also who waits for less, again and again. */
	if (result == -ETIMEDOUT && deadline != 0)
		queue.ring_again();
	if (result == -ETIMEDOUT && until != deadline)
		result = 0;
	if (result == -ENODEV || result == -EHOSTDOWN)
		return result;
	if (result == -ESTALE)
		queue.mark_lost();
	if (result == -ESTALE || queue.ring.ready() > 0)
		return 0;
	if (progress.state == OAC_QUEUE_ERROR && progress.completed == seen &&
	    !wait_for_aborts(queue, deadline))
		queue_failed(queue, progress);
	if (result == 0 && progress.completed != seen)
		return doubt(queue, seen, deadline,
			     "commands have ended, and posted no completions");
	if (result == 0 && progress.state > OAC_QUEUE_ERROR)
		return doubt(queue, seen, deadline, "the queue is in a state that there is not");
	return result;
}

[[noreturn]] void wait_failed(accel_queue &queue, int code)
{
	const char *text = ": the card is lost; close and open it again";
	if (code == ETIMEDOUT)
		text = ": no completion in time; wait longer, or look at the card's events";
	if (code == EHOSTDOWN)
		text = ": the card is being recovered; wait with accel_device_recover()";
	throw failure(code, accel::card_text(*queue.card) + ": queue " +
				    std::to_string(queue.port->queue) + text);
}

/*
 * The turn to sleep in the backend, of several threads that wait. Who has it arms and sleeps alone,
 * so that nobody's interrupt is read by another; on leaving it wakes the next, who then looks, arms
 * and sleeps for itself. So each ends by a completion, by what ends all waits, or by its deadline.
 */
class turn
{
public:
	explicit turn(accel_queue &queue) noexcept : queue_(queue) {}
	turn(const turn &) = delete;
	turn &operator=(const turn &) = delete;
	~turn()
	{
		if (!is_mine_)
			return;
		queue_.is_asleep.store(false, std::memory_order_relaxed);
		queue_.listeners.fetch_sub(1, std::memory_order_relaxed);
		{
			const std::lock_guard lock(queue_.turn_mutex);
			queue_.has_turn = false;
		}
		queue_.turn_is_free.notify_one();
	}

	bool is_taken() const noexcept { return is_mine_; }
	/* false: the deadline passed. */
	bool take(std::int64_t deadline)
	{
		std::unique_lock lock(queue_.turn_mutex);
		const auto is_free = [&] { return !queue_.has_turn; };
		if (deadline == INT64_MAX)
			queue_.turn_is_free.wait(lock, is_free);
		else if (!queue_.turn_is_free.wait_until(lock, time_point(deadline), is_free))
			return false;
		queue_.has_turn = is_mine_ = true;
		/* Before the look at the ring that follows arming, which is a full fence. */
		queue_.is_asleep.store(true, std::memory_order_relaxed);
		queue_.listeners.fetch_add(1, std::memory_order_relaxed);
		return true;
	}

private:
	/* steady_clock is CLOCK_MONOTONIC. */
	static std::chrono::steady_clock::time_point time_point(std::int64_t deadline)
	{
		return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
	}

	accel_queue &queue_;
	bool is_mine_ = false;
};

int wait(accel_queue *queue, accel_completion *completions, int max, std::int64_t timeout)
{
	const std::int64_t deadline = timeout == 0 ? 0 : accel::deadline_after(timeout);
	if (timeout != 0)
		spin(*queue, deadline);
	turn mine(*queue);
	for (;;) {
		if (const int count = accel_queue_reap(queue, completions, max); count != 0)
			return count;
		/* One thread needs no turn, nor does one that only looks. */
		if (timeout != 0 && queue->reap_lock.is_used() && !mine.is_taken()) {
			if (!mine.take(deadline))
				wait_failed(*queue, ETIMEDOUT);
			continue;
		}
		if (timeout != 0) {
			const int armed = queue->arm(queue->ring.head(), nullptr);
			if (armed == -ENODEV)
				return accel_queue_reap(queue, completions, max);
			if (armed == -ESTALE)
				queue->mark_lost();
		}
		if (queue->ring.ready() > 0)
			continue;
		const int result = sleep(*queue, deadline);
		if (result != 0 && queue->ring.ready() == 0)
			wait_failed(*queue, -result);
	}
}

} // namespace

/*
 * One ARM word, several askers. A request is spent once completions differ from its seen count. The
 * queue's own threads overwrite what they like: if one has reaped since, its reap has woken the
 * watchers (accel_context::kick) and who sleeps for completions (wake), and if not, seen is the same. A watcher overwrites a request of
 * another only if that is spent already, and then signals the queue's event descriptor in place of
 * the card, which may not have looked yet. Events too many are harmless: everyone looks again.
 */
int accel_queue::arm(std::uint32_t seen, const void *who)
{
	const std::lock_guard lock(arm_mutex);
	if (who && is_armed && arm_by != who) {
		if (arm_seen == seen)
			return 0;
		eventfd_write(card->queue_event_fd(port->queue), 1);
	}
	const std::uint64_t word = std::uint64_t{ ++arm_sequence } << OAC_DB_ARM_SEQ_SHIFT | seen;
	arm_seen = seen;
	arm_by = who;
	is_armed = true;
	return ring.ring_arm(word) ? card->arm(port->queue, word) : 0;
}

void accel_queue::ring_again() noexcept
{
	const accel::no_cancel whole;
	if (submit_lock.is_used() && !submit_lock.try_lock())
		submit_lock.lock_contended();
	const std::uint32_t count = ring.rung();
	if (ring.is_waiting() && !has_news() && ring.ring_doorbell(count))
		card->ring(port->queue, count);
	if (submit_lock.is_used())
		submit_lock.unlock(0);
}

bool accel_queue::has_asked(std::uint32_t seen)
{
	const std::lock_guard lock(arm_mutex);
	return is_armed && arm_seen == seen;
}

/* The backend that sleeps on another thing than this descriptor wakes by any interrupt. */
void accel_queue::wake() noexcept
{
	const accel::no_cancel whole;
	try {
		eventfd_write(card->queue_event_fd(port->queue), 1);
	} catch (const std::exception &) {
		/* The card is lost, and who sleeps wakes by that. */
	}
}

int accel_queue::arm_for_watcher(const void *who)
{
	return arm(ring.published(), who);
}

int accel_queue_wait(accel_queue *queue, struct accel_completion *completions, int max,
		     int64_t timeout)
{
	return guard([&] {
		accel::require(queue, "queue");
		accel::require(completions, "completions");
		if (max < 1 || !accel::is_timeout(timeout))
			throw failure(EINVAL,
				      "accel_queue_wait: max must be 1 or more, and the timeout "
				      "not negative");
		return wait(queue, completions, max, timeout);
	});
}

int accel_queue_fd(accel_queue *queue, int *fd)
{
	return guard([&] {
		accel::require(queue, "queue");
		accel::require(fd, "fd");
		*fd = queue->card->queue_event_fd(queue->port->queue);
		return 0;
	});
}

int accel_queue_arm(accel_queue *queue)
{
	return guard([&] {
		accel::require(queue, "queue");
		if (queue->ring.ready() > 0)
			return 1;
		/* Again and nothing came: what woke the caller may have befallen the card. */
		const std::uint32_t head = queue->ring.head();
		if (queue->has_asked(head))
			queue->card->look();
		int state = queue->has_news() ? accel::look_after_queue(*queue) : 0;
		if (state == 0)
			state = queue->arm(head, nullptr);
		if (state == -ENODEV)
			throw failure(ENODEV, accel::card_text(*queue->card) +
						      ": it is lost; close and open it again");
		if (state == -ESTALE) {
			queue->mark_lost();
			if (queue->ring.outstanding() == 0)
				throw failure(ESTALE, accel::card_text(*queue->card) + ": " +
							      accel::STALE_TEXT);
			return 1;
		}
		/* It may have come before the request was there. */
		if (queue->has_news() && accel::look_after_queue(*queue) == -ESTALE)
			return 1;
		return queue->ring.ready() > 0 ? 1 : 0;
	});
}
