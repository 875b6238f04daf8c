// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Copies between two cards through host memory, made of public calls only. Memory of two pieces is
// mapped to both contexts. The source's queue fills them in turn and the destination's empties them;
// the cards keep pace with each other by two timelines, and the host only hands out commands and
// looks for errors:
//
//	source:		WAIT emptied >= n - 2	COPY to piece n % 2	SIGNAL filled = n
//	destination:	WAIT filled >= n	COPY from piece n % 2	SIGNAL emptied = n
//
// n counts pieces over the life of the stage. What fails or takes too long ends both queues, whose
// successors the next copy makes, with numbers that the ended ones never used.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string_view>

#include <poll.h>
#include <sys/eventfd.h>

#include "clock.hpp"
#include "context.hpp"
#include "deadline_mutex.hpp"
#include "queue.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr std::size_t PIECE = std::size_t{ 1 } << 20;
constexpr unsigned PIECES = 2;
constexpr std::size_t STAGE_SIZE = PIECES * PIECE;
constexpr unsigned DEPTH = 128;
constexpr unsigned COMMANDS = 3;	/* of a piece, on each side */

/* Errors of the calls this is made of keep their text. */
void check(int result)
{
	if (result < 0)
		throw failure(-result, accel_error_text());
}

struct queue_closer {
	void operator()(accel_queue *queue) const { accel_queue_destroy(queue); }
};
struct timeline_closer {
	void operator()(accel_timeline *timeline) const { accel_timeline_destroy(timeline); }
};
using queue_handle = std::unique_ptr<accel_queue, queue_closer>;
using timeline_handle = std::unique_ptr<accel_timeline, timeline_closer>;

timeline_handle make_timeline(accel_context &owner, accel_context &other)
{
	accel_timeline *made = nullptr;
	check(accel_timeline_create(&owner, &made));
	timeline_handle timeline(made);
	check(accel_timeline_share(made, &other));
	return timeline;
}

/* One of the two cards of a stage. */
struct side {
	side(const char *called, accel_context &in, accel_buffer &pieces)
		: name(called), context(in), map(in, pieces)
	{
	}
	void open();
	void reap();

	const char *name;
	accel_context &context;
	accel::internal_map map;
	queue_handle queue;
	std::uint64_t written = 0;	/* pieces handed to the queue, and */
	std::uint64_t done = 0;		/* commands completed, both since open() */
};

void side::open()
{
	accel_queue *made = nullptr;
	check(accel_queue_create(&context, DEPTH, 1, &made));
	queue.reset(made);
	written = 0;
	done = 0;
}

/* Throws EIO for a command that the card refused. */
void side::reap()
{
	std::array<accel_completion, 32> ended;
	for (;;) {
		const int count = accel_queue_reap(queue.get(), ended.data(), ended.size());
		check(count);
		if (count == 0)
			return;
		done += static_cast<unsigned>(count);
		for (int i = 0; i < count; i++) {
			const accel_completion &one = ended[static_cast<std::size_t>(i)];
			if (one.result == 0)
				continue;
			char where[40];
			std::snprintf(where, sizeof(where), " (address %#llx)",
				      static_cast<unsigned long long>(one.info));
			throw failure(EIO, std::string("accel_stage_copy: the ") + name + ", " +
						   accel::card_text(*context.device->backend) +
						   ": " + accel_code_text(one.code) + where +
						   "; check address and size there");
		}
	}
}

/* The kernel's driver takes no memory of a direct card, only the other way round. */
accel_context &owner_of(accel_context &source, accel_context &destination)
{
	const bool is_direct = std::string_view(source.device->backend->kind()) == "direct";
	return is_direct ? destination : source;
}

} // namespace

struct accel_stage {
	accel_stage(accel_context &source, accel_context &destination);
	void copy(std::uint64_t to, std::uint64_t from, std::uint64_t size, std::int64_t deadline);
	void move(std::uint64_t to, std::uint64_t from, std::uint64_t size, std::int64_t deadline);
	bool write_piece(side &to, std::uint64_t number, std::uint64_t address, std::uint64_t size);
	void check_time(std::int64_t deadline) const;
	void sleep(std::int64_t deadline);
	void close() noexcept;

	accel::deadline_mutex mutex;	/* one copy at a time; guards all below */
	accel_buffer pieces;
	std::unique_ptr<accel_buffer> imported;	/* the other card's view of them, if it is one */
	timeline_handle filled, emptied;
	side source, destination;
	std::uint64_t used = 0;		/* numbers of pieces up to here */
};

accel_stage::accel_stage(accel_context &from, accel_context &to)
	: pieces(*owner_of(from, to).device, STAGE_SIZE),
	  imported(from.device == to.device ?
			   nullptr :
			   accel::import_into(*(&owner_of(from, to) == &from ? to : from).device,
					      pieces)),
	  source("source", from, pieces.device == from.device ? pieces : *imported),
	  destination("destination", to, pieces.device == to.device ? pieces : *imported)
{
	accel_context &owner = owner_of(from, to);
	accel_context &other = &owner == &from ? to : from;
	filled = make_timeline(owner, other);
	emptied = make_timeline(owner, other);
}

/* false: the queue is full for now. */
bool accel_stage::write_piece(side &to, std::uint64_t number, std::uint64_t address,
			      std::uint64_t size)
{
	accel_queue *queue = to.queue.get();
	if (DEPTH - accel_queue_outstanding(queue) < COMMANDS)
		return false;
	const bool is_source = &to == &source;
	const std::uint64_t piece = to.map.address() + number % PIECES * PIECE;
	const std::uint64_t gate = is_source ? number - std::min<std::uint64_t>(number, PIECES) :
					       number;
	const auto tag = static_cast<std::uint32_t>(number & 0xffff);
	check(accel_queue_wait_timeline(queue, (is_source ? emptied : filled).get(), gate, tag));
	check(accel_queue_copy(queue, is_source ? piece : address, is_source ? address : piece,
			       size, tag));
	check(accel_queue_signal(queue, (is_source ? filled : emptied).get(), number, tag));
	return true;
}

void accel_stage::check_time(std::int64_t deadline) const
{
	if (deadline == INT64_MAX || accel::now_ns() < deadline)
		return;
	const side &behind = source.done < destination.done + COMMANDS ? source : destination;
	throw failure(ETIMEDOUT, std::string("accel_stage_copy: not done in time; the ") +
					 behind.name +
					 " is behind; allow more time, or see what its card is "
					 "busy with");
}

/* Until either side has something new, or the deadline. */
void accel_stage::sleep(std::int64_t deadline)
{
	std::array<pollfd, 4> fds{};
	std::size_t count = 0;
	for (const side *one : { &source, &destination }) {
		accel::backend &card = *one->context.device->backend;
		const int ready = accel_queue_arm(one->queue.get());
		check(ready);
		if (ready > 0)
			return;
		fds[count++] = { card.queue_event_fd(one->queue->port->queue), POLLIN, 0 };
		if (card.lost_fd() >= 0)
			fds[count++] = { card.lost_fd(), POLLRDHUP, 0 };
	}
	ppoll(fds.data(), count, accel::time_left(deadline).get(), nullptr);
	for (std::size_t i = 0; i < count; i++) {
		eventfd_t events;
		if ((fds[i].revents & POLLIN) && fds[i].events == POLLIN)
			eventfd_read(fds[i].fd, &events);
	}
	source.context.device->backend->look();
	destination.context.device->backend->look();
}

void accel_stage::move(std::uint64_t to, std::uint64_t from, std::uint64_t size,
		       std::int64_t deadline)
{
	const std::uint64_t total = (size + PIECE - 1) / PIECE;
	const std::uint64_t base = used;
	const auto feed = [&](side &one, std::uint64_t start) {
		const std::uint64_t before = one.written;
		while (one.written < total) {
			const std::uint64_t at = one.written * PIECE;
			if (!write_piece(one, base + one.written + 1, start + at,
					 std::min<std::uint64_t>(PIECE, size - at)))
				break;
			one.written++;
		}
		check(accel_queue_submit(one.queue.get()));
		return one.written != before;
	};
	source.written = destination.written = 0;
	source.done = destination.done = 0;
	used = base + total;
	const auto feed_both = [&] {
		const bool has_moved = feed(source, from);
		return feed(destination, to) || has_moved;
	};
	if (total == 0)
		return;
	feed_both();
	/* So that a timeout of 0 is never enough, however fast the cards are. */
	check_time(deadline);
	for (;;) {
		source.reap();
		destination.reap();
		if (destination.done == total * COMMANDS && source.done == total * COMMANDS)
			return;
		check_time(deadline);
		if (!feed_both())
			sleep(deadline);
	}
}

void accel_stage::close() noexcept
{
	source.queue.reset();
	destination.queue.reset();
}

void accel_stage::copy(std::uint64_t to, std::uint64_t from, std::uint64_t size,
		       std::int64_t deadline)
{
	const accel::deadline_lock lock(mutex, deadline, "accel_stage_copy");
	try {
		if (!source.queue || !destination.queue) {
			close();
			/* The ended ones left the timelines anywhere; ahead of them is free. */
			check(accel_timeline_signal(emptied.get(), used));
			source.open();
			destination.open();
		}
		move(to, from, size, deadline);
	} catch (...) {
		close();
		throw;
	}
}

int accel_stage_create(accel_context *source, accel_context *destination, accel_stage **stage)
{
	return guard([&] {
		accel::require(source, "source");
		accel::require(destination, "destination");
		accel::require(stage, "stage");
		*stage = std::make_unique<accel_stage>(*source, *destination).release();
		return 0;
	});
}

void accel_stage_destroy(accel_stage *stage)
{
	if (!stage || accel::is_foreign(*stage->pieces.device))
		return;
	const accel::no_cancel whole;
	const std::unique_ptr<accel_stage> destroyed(stage);
}

int accel_stage_copy(accel_stage *stage, uint64_t destination, uint64_t source, uint64_t size,
		     int64_t timeout)
{
	return guard([&] {
		accel::require(stage, "stage");
		accel::require(stage->pieces.device, "stage");
		if (!accel::is_timeout(timeout))
			throw failure(EINVAL, "accel_stage_copy: the timeout must not be negative");
		if (size > UINT64_MAX - source || size > UINT64_MAX - destination)
			throw failure(EINVAL, "accel_stage_copy: address and size are beyond the "
					      "address space");
		stage->copy(destination, source, size, accel::deadline_after(timeout));
		return 0;
	});
}
