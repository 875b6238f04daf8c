// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Timelines: a 64-bit word in memory mapped to the context, in a page of its own so that it faults
// once destroyed. Queues write and wait for it on the card; the host does so in here.
//
// A waiter sleeps on what can change the word: completions of the context's queues, and the
// context's kick descriptor, which a host signal, a reap (the queue's own thread may have taken the
// event meant for us) and a new queue write to. It must not read the queues' event descriptors,
// which belong to their threads. So it watches all of them edge-triggered, through an epoll
// instance of its own: each write wakes each waiter once, and nobody takes it from another.
//
// Why no wake-up is lost: the waiter counts itself as a watcher, arms each queue at the published
// tail (with a full fence) and only then looks at the word. A completion that it did not see comes
// after the arming, so the card signals the descriptor; if the queue's thread reads that before
// epoll looks, that thread reaps, sees the watcher and kicks.
#include <cstring>

#include <sys/epoll.h>

#include "clock.hpp"
#include "command.hpp"
#include "context.hpp"
#include "queue.hpp"

using accel::failure;
using accel::guard;

struct accel_timeline {
	explicit accel_timeline(accel_context &in) : context(&in), memory(in, OAC_PAGE_SIZE) {}
	std::atomic_ref<std::uint64_t> word() const noexcept
	{
		return std::atomic_ref(*reinterpret_cast<std::uint64_t *>(memory.host()));
	}

	accel_context *context;
	accel::internal_buffer memory;
};

namespace
{

constexpr std::int64_t SPIN_NS = 5'000;

class watcher
{
public:
	explicit watcher(accel_context &context) : context_(context)
	{
		context_.watchers.fetch_add(1);
	}
	watcher(const watcher &) = delete;
	watcher &operator=(const watcher &) = delete;
	~watcher() { context_.watchers.fetch_sub(1); }
	/* Asks all queues of the context for their next completion. */
	void arm();
	void sleep(std::int64_t deadline);

private:
	void watch_all();
	void watch(int fd, std::uint32_t events);

	accel_context &context_;
	accel::unique_fd epoll_;
	std::uint64_t epoch_ = 0;
};

/* Under the context's mutex. */
void watcher::watch_all()
{
	epoll_ = accel::unique_fd(epoll_create1(EPOLL_CLOEXEC));
	if (!epoll_.is_open())
		throw failure(errno, "timeline: no epoll instance: " + accel::errno_text(errno));
	watch(context_.kick_fd.get(), EPOLLIN | EPOLLET);
	if (const int lost_fd = context_.device->backend->lost_fd(); lost_fd >= 0)
		watch(lost_fd, EPOLLRDHUP | EPOLLET);
	for (accel_queue *queue : context_.queues)
		watch(queue->card->queue_event_fd(queue->port->queue), EPOLLIN | EPOLLET);
	epoch_ = context_.queues_epoch;
}

void watcher::watch(int fd, std::uint32_t events)
{
	epoll_event event{};
	event.events = events;
	if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
		throw failure(errno, "timeline: cannot watch a queue: " + accel::errno_text(errno));
}

void watcher::arm()
{
	const std::lock_guard lock(context_.mutex);
	if (!epoll_.is_open() || epoch_ != context_.queues_epoch)
		watch_all();
	for (accel_queue *queue : context_.queues)
		queue->arm_for_watcher(this);
}

void watcher::sleep(std::int64_t deadline)
{
	epoll_event event;
	epoll_wait(epoll_.get(), &event, 1, accel::time_left(deadline).milliseconds());
}

bool spin(const accel_timeline &timeline, std::uint64_t value)
{
	const std::int64_t end = accel::now_ns() + SPIN_NS;
	do {
		if (timeline.word().load(std::memory_order_acquire) >= value)
			return true;
	} while (accel::now_ns() < end);
	return false;
}

int wait(const accel_timeline &timeline, std::uint64_t value, std::int64_t timeout)
{
	const std::int64_t deadline = accel::deadline_after(timeout);
	if (spin(timeline, value))
		return 0;
	accel::backend &card = *timeline.context->device->backend;
	watcher asleep(*timeline.context);
	for (;;) {
		asleep.arm();
		if (timeline.word().load(std::memory_order_acquire) >= value)
			return 0;
		/* What woke us may have been the card's end. */
		card.look();
		if (card.lost().load())
			throw failure(ENODEV, accel::card_text(card) +
						      ": it is lost; close and open it again");
		if (deadline != INT64_MAX && accel::now_ns() >= deadline)
			throw failure(ETIMEDOUT,
				      accel::card_text(card) +
					      ": the timeline did not reach the value in time; "
					      "it is at " +
					      std::to_string(timeline.word().load()));
		asleep.sleep(deadline);
	}
}

} // namespace

int accel_timeline_create(accel_context *context, accel_timeline **timeline)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(timeline, "timeline");
		auto made = std::make_unique<accel_timeline>(*context);
		const std::lock_guard lock(context->mutex);
		context->timelines++;
		*timeline = made.release();
		return 0;
	});
}

void accel_timeline_destroy(accel_timeline *timeline)
{
	const std::unique_ptr<accel_timeline> destroyed(timeline);
	if (!timeline)
		return;
	const std::lock_guard lock(timeline->context->mutex);
	timeline->context->timelines--;
}

uint64_t accel_timeline_value(const accel_timeline *timeline)
{
	return timeline ? timeline->word().load(std::memory_order_acquire) : 0;
}

int accel_timeline_signal(accel_timeline *timeline, uint64_t value)
{
	return guard([&] {
		accel::require(timeline, "timeline");
		const auto word = timeline->word();
		std::uint64_t now = word.load(std::memory_order_relaxed);
		do {
			if (value < now)
				throw failure(EINVAL, "accel_timeline_signal: the timeline is at " +
							      std::to_string(now) +
							      " already and cannot go back");
		} while (!word.compare_exchange_weak(now, value, std::memory_order_release));
		timeline->context->kick();
		return 0;
	});
}

int accel_timeline_wait(accel_timeline *timeline, uint64_t value, int64_t timeout)
{
	return guard([&] {
		accel::require(timeline, "timeline");
		if (!accel::is_timeout(timeout))
			throw failure(EINVAL,
				      "accel_timeline_wait: the timeout must not be negative");
		return wait(*timeline, value, timeout);
	});
}

namespace
{

int push_timeline(accel_queue *queue, std::uint8_t opcode, accel_timeline *timeline,
		  std::uint64_t value, std::uint32_t tag)
{
	if (!timeline || (queue && timeline->context != queue->context)) [[unlikely]]
		return accel::error_literal(EINVAL,
					    "accel_queue_*: the timeline is NULL or belongs to "
					    "another context than the queue");
	return accel::push_command(queue, opcode, tag, [&](oac_cmd &cmd) {
		cmd.body.timeline.va = timeline->memory.address();
		cmd.body.timeline.value = value;
	});
}

} // namespace

int accel_queue_signal(accel_queue *queue, accel_timeline *timeline, uint64_t value, uint32_t tag)
{
	return push_timeline(queue, OAC_CMD_SIGNAL, timeline, value, tag);
}

int accel_queue_wait_timeline(accel_queue *queue, accel_timeline *timeline, uint64_t value,
			      uint32_t tag)
{
	return push_timeline(queue, OAC_CMD_WAIT, timeline, value, tag);
}
