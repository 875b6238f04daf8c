// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What becomes of a queue when something befell its card. Each command that was written still gets
// its completion: those that the card published as they are; of the rest, by the last progress that
// the driver saw, what the card had begun is unknown, and what it had not is not run. Then ESTALE.
// All of it is off the data path, which only sees that the epoch has moved.
#include "queue.hpp"

#include <algorithm>

#include "codes.hpp"

namespace
{

using accel::backend;

/* Holds the submission side, which may be writing commands. Lock order: reaping side, then this. */
class submit_guard
{
public:
	explicit submit_guard(accel_queue &queue) noexcept : lock_(queue.submit_lock)
	{
		if (lock_.is_used() && !lock_.try_lock())
			lock_.lock_contended();
	}
	submit_guard(const submit_guard &) = delete;
	submit_guard &operator=(const submit_guard &) = delete;
	~submit_guard()
	{
		if (lock_.is_used())
			lock_.unlock(0);
	}

private:
	accel::side_lock &lock_;
};

/* The driver's last word on the queue, if it has let go of it. */
bool is_let_go(accel_queue &queue, accel::queue_progress *progress) noexcept
{
	return queue.card->queue_wait(queue.port->queue, queue.ring.head(), 0, progress) == -ESTALE;
}

/* What the card has published, as it is, as far as that can be. */
int reap_published(accel_queue &queue, accel_completion *to, std::uint32_t max) noexcept
{
	accel::ring &ring = queue.ring;
	const std::uint32_t head = ring.own_head();
	const std::uint32_t ready = ring.published() - head;
	if (queue.is_broken || !ring.is_credible(ready, head)) {
		queue.is_broken = true;
		return 0;
	}
	const std::uint32_t most = std::min(ready, max);
	std::uint32_t count = 0;
	for (; count < most && ring.is_due(head + count); count++) {
		const oac_completion &from = ring.completion(head + count);
		to[count] = { from.tag, accel::status_result(from.status), from.status, 0, from.info };
	}
	queue.is_broken = count < most;
	ring.release(head + count);
	return static_cast<int>(count);
}

/* What it will publish no more. taken: commands that it had begun. */
int reap_missing(accel_queue &queue, std::uint32_t taken, accel_completion *to,
		 std::uint32_t max) noexcept
{
	const submit_guard hold(queue);
	accel::ring &ring = queue.ring;
	const std::uint32_t head = ring.own_head();
	const std::uint32_t given = ring.rung() - head;
	const std::uint32_t count = std::min(ring.outstanding(), max);
	for (std::uint32_t i = 0; i < count; i++) {
		const bool is_begun = queue.is_broken ||
				      static_cast<std::int32_t>(taken - (head + i)) > 0;
		const std::uint16_t status = i < given && is_begun ? OAC_ST_UNKNOWN :
								     OAC_ST_NOT_RUN;
		to[i] = { ring.tag(head + i), accel::status_result(status), status, 0, 0 };
	}
	ring.skip(head + count);
	return static_cast<int>(count);
}

} // namespace

namespace accel
{

/* Under the lock of neither side, or of either. */
int look_after_queue(accel_queue &queue) noexcept
{
	const no_cancel whole;
	const std::uint32_t epoch = queue.epoch.load(std::memory_order_acquire);
	if (epoch == backend::EPOCH_LOST)
		return -ENODEV;
	queue_progress progress;
	if (is_let_go(queue, &progress)) {
		queue.mark_lost();
		return -ESTALE;
	}
	if (queue.card->is_lost())
		return -ENODEV;
	queue.see(epoch);
	return 0;
}

/* Under the reaping side's lock. */
int reap_after_loss(accel_queue &queue, accel_completion *to, std::uint32_t max) noexcept
{
	const no_cancel whole;
	if (const int state = look_after_queue(queue); state != -ESTALE)
		return state;
	queue_progress progress;
	if (!is_let_go(queue, &progress))
		return queue.card->is_lost() ? -ENODEV : 0;
	/* From here on the card writes nothing: what is published is all that ever will be. */
	int count = reap_published(queue, to, max);
	if (count == 0)
		count = reap_missing(queue, progress.taken, to, max);
	return count > 0 ? count : -ESTALE;
}

} // namespace accel
