// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Timelines: queues write and wait for the word on the card; the host does so in here.
//
// A waiter sleeps on what can change the word: completions of the queues of all contexts that have
// it, fences it follows, and the contexts' kick descriptors, which a host signal, a reap (the
// queue's own thread may have taken the event meant for us), a new queue, a new context and a new
// fence write to. It must not read the queues' event descriptors, which belong to their threads. So
// it watches all of them edge-triggered, through an epoll instance of its own: each write wakes each
// waiter once, and nobody takes it from another.
//
// Why no wake-up is lost: the waiter counts itself as a watcher, arms each queue at the published
// tail (with a full fence) and only then looks at the word. A completion that it did not see comes
// after the arming, so the card signals the descriptor; if the queue's thread reads that before
// epoll looks, that thread reaps, sees the watcher and kicks. Every waiter watches the timeline's
// own context, so one kick there reaches all.
#include "timeline.hpp"

#include <algorithm>

#include <sys/epoll.h>

#include "clock.hpp"
#include "command.hpp"
#include "queue.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr std::int64_t SPIN_NS = 5'000;
/* How often to look after a card whose end wakes nobody. */
constexpr std::int64_t LOOK_NS = 100 * accel::NS_PER_MS;

class watcher
{
public:
	explicit watcher(accel_timeline &timeline);
	watcher(const watcher &) = delete;
	watcher &operator=(const watcher &) = delete;
	~watcher();
	/* Asks all queues of all contexts for their next completion. */
	void arm();
	/* Throws ENODEV if a card of one of the contexts is lost. */
	void look_at_cards() const;
	void sleep(std::int64_t deadline);

private:
	struct watched {
		accel_context *context;
		std::uint64_t epoch;	/* of the queues that are watched */
		bool is_blind = false;	/* nothing that is watched tells of the card's end */
	};
	void add(accel_context &context);
	void add_shares();
	void watch_queues(watched &one);
	void watch(int fd, std::uint32_t events);

	accel_timeline &timeline_;
	accel::unique_fd epoll_;
	std::vector<watched> contexts_;
	const accel::timeline_share *newest_ = nullptr;
};

watcher::watcher(accel_timeline &timeline)
	: timeline_(timeline), epoll_(epoll_create1(EPOLL_CLOEXEC))
{
	if (!epoll_.is_open())
		throw failure(errno, "timeline: no epoll instance: " + accel::errno_text(errno));
	contexts_.reserve(1);
	add(*timeline.context);
}

watcher::~watcher()
{
	for (const watched &one : contexts_)
		one.context->remove_watcher();
}

void watcher::add(accel_context &context)
{
	contexts_.push_back({ &context, UINT64_MAX });
	context.add_watcher();
}

/* Contexts that came since the last look. */
void watcher::add_shares()
{
	const accel::timeline_share *first = timeline_.shares.load(std::memory_order_acquire);
	for (auto *one = first; one != newest_; one = one->next)
		add(one->map.context());
	newest_ = first;
}

/* Under the context's mutex. What ended is out of epoll by itself. */
void watcher::watch_queues(watched &one)
{
	const accel_context &context = *one.context;
	watch(context.kick_fd.get(), EPOLLIN | EPOLLET);
	const int lost_fd = context.device->backend->lost_fd();
	if (lost_fd >= 0)
		watch(lost_fd, EPOLLRDHUP | EPOLLET);
	/* A queue's descriptor fires when the card is lost. */
	one.is_blind = lost_fd < 0 && context.queues.empty();
	for (accel_queue *queue : context.queues)
		watch(queue->card->queue_event_fd(queue->port->queue), EPOLLIN | EPOLLET);
	one.epoch = context.queues_epoch;
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
	add_shares();
	for (watched &one : contexts_) {
		const std::lock_guard lock(one.context->mutex);
		if (one.epoch != one.context->queues_epoch)
			watch_queues(one);
		for (accel_queue *queue : one.context->queues)
			queue->arm_for_watcher(this);
	}
	timeline_.look_at_fences([&](int fd) { watch(fd, EPOLLIN | EPOLLET); });
}

void watcher::look_at_cards() const
{
	for (const watched &one : contexts_) {
		accel::backend &card = *one.context->device->backend;
		card.look();
		if (card.lost().load())
			throw failure(ENODEV, accel::card_text(card) +
						      ": it is lost; close and open it again");
	}
}

void watcher::sleep(std::int64_t deadline)
{
	if (std::ranges::any_of(contexts_, &watched::is_blind))
		deadline = std::min(deadline, accel::now_ns() + LOOK_NS);
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

int wait(accel_timeline &timeline, std::uint64_t value, std::int64_t timeout)
{
	const std::int64_t deadline = accel::deadline_after(timeout);
	if (spin(timeline, value))
		return 0;
	watcher asleep(timeline);
	for (;;) {
		asleep.arm();
		if (timeline.word().load(std::memory_order_acquire) >= value)
			return 0;
		/* What woke us may have been the card's end. */
		asleep.look_at_cards();
		if (deadline != INT64_MAX && accel::now_ns() >= deadline)
			throw failure(ETIMEDOUT,
				      accel::card_text(*timeline.context->device->backend) +
					      ": the timeline did not reach the value in time; "
					      "it is at " +
					      std::to_string(timeline.word().load()));
		asleep.sleep(deadline);
	}
}

} // namespace

accel_timeline::~accel_timeline()
{
	for (accel::timeline_share *one = shares.load(); one;) {
		const std::unique_ptr<accel::timeline_share> ended(one);
		one = one->next;
	}
}

void accel_timeline::share(accel_context &with)
{
	const accel::deadline_lock lock(share_mutex, accel::deadline_after(ACCEL_TIMEOUT_DEFAULT),
					"timeline");
	if (address_in(&with) != 0)
		return;
	std::unique_ptr<accel_buffer> imported;
	if (with.device != context->device)
		imported = accel::import_into(*with.device, memory.buffer());
	accel_buffer &seen = imported ? *imported : memory.buffer();
	auto added = std::make_unique<accel::timeline_share>(with, std::move(imported), seen);
	added->next = shares.load(std::memory_order_relaxed);
	shares.store(added.release(), std::memory_order_release);
	context->kick();
}

int accel_timeline_create(accel_context *context, accel_timeline **timeline)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(timeline, "timeline");
		*timeline = std::make_unique<accel_timeline>(*context).release();
		return 0;
	});
}

int accel_timeline_share(accel_timeline *timeline, accel_context *context)
{
	return guard([&] {
		accel::require(timeline, "timeline");
		accel::require(context, "context");
		timeline->share(*context);
		return 0;
	});
}

void accel_timeline_destroy(accel_timeline *timeline)
{
	if (!timeline || accel::is_foreign(*timeline->context->device))
		return;
	const accel::no_cancel whole;
	const std::unique_ptr<accel_timeline> destroyed(timeline);
}

uint64_t accel_timeline_value(const accel_timeline *timeline)
{
	if (!timeline || accel::is_foreign(*timeline->context->device)) [[unlikely]]
		return 0;
	return timeline->word().load(std::memory_order_acquire);
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
	const std::uint64_t address = timeline && queue ? timeline->address_in(queue->context) : 0;
	if (address == 0) [[unlikely]]
		return accel::error_literal(EINVAL,
					    "accel_queue_*: the queue or the timeline is NULL, or "
					    "the timeline is of another context than the queue and "
					    "not shared with it: see accel_timeline_share()");
	return accel::push_command(queue, opcode, tag, [&](oac_cmd &cmd) {
		cmd.body.timeline.va = address;
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
