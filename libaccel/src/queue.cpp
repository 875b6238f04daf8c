// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The path of a submission, the same for every backend:
//
//  1. accel_queue_copy() and its like write one 64-byte oac_cmd into the submission ring, which is
//     host memory mapped to the queue's context; operators.cpp first writes an oac_op descriptor
//     into the slot of the same number beside it. Nothing has left this core.
//  2. accel_queue_submit() stores the count of written commands into the queue's doorbell page
//     (ring::ring_doorbell), after a release fence: the only store that matters to the card.
//     Where doorbells are shared memory, a full fence and one look at ASLEEP follow; a sleeping
//     card gets the same store through the backend, which wakes it: the only system call there is.
//  3. The card takes the entries through the context's own address space, does the work in order,
//     writes 16-byte oac_completions into the completion ring and then, once per batch, its count
//     into the published tail, which is a cache line of its own.
//  4. accel_queue_reap() loads that line with acquire, checks that the card does not claim more
//     than it was given, and copies the entries out. A poller touches nothing else.
//  5. accel_queue_wait() polls for as long as that paid off lately, then stores ARM into the
//     doorbell page, looks once more, and sleeps in the backend until the card's interrupt
//     (queue_wait.cpp).
//
// Errors of the card come back as completions; the driver's own view of the queue, which no user
// memory can forge, is asked only when there is nothing left to reap.
#include "queue.hpp"

#include <algorithm>
#include <bit>

#include "codes.hpp"
#include "command.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr unsigned DEFAULT_DEPTH = 256;
constexpr std::int64_t SPIN_FIRST_NS = 10'000;
/* A poller looks after the card itself once in so many looks at the ring. */
constexpr std::uint32_t REAPS_PER_LOOK = 1u << 16;

accel::queue_rings rings_at(std::uint64_t va, std::uint32_t depth, std::uint32_t depth_log2,
			    std::uint32_t priority)
{
	const accel::ring_layout layout(depth);
	return { va, va + layout.cq(), va + layout.tail(), depth_log2, priority };
}

} // namespace

accel_queue::accel_queue(accel_context &in, std::uint32_t depth, std::uint32_t depth_log2,
			 std::uint32_t priority)
	: memory(in, accel::ring_layout(depth).size()),
	  port(*in.device->backend, in.id, rings_at(memory.address(), depth, depth_log2, priority)),
	  ring(memory.host(), memory.address(), depth, static_cast<std::byte *>(port->doorbell),
	       port->shared),
	  lost(in.device->backend->lost()), context(&in), card(in.device->backend.get()),
	  spin_ns(SPIN_FIRST_NS)
{
}

int accel_queue_create(accel_context *context, unsigned depth, unsigned priority,
		       accel_queue **queue)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(queue, "queue");
		const auto info = context->device->backend->info();
		const unsigned wanted = depth ? depth : DEFAULT_DEPTH;
		const unsigned max = 1u << info.max_depth_log2;
		if (!std::has_single_bit(wanted) || wanted < 2 || wanted > max)
			throw failure(EINVAL, "accel_queue_create: depth " +
						      std::to_string(wanted) +
						      " is not a power of two from 2 to " +
						      std::to_string(max));
		if (priority > 3)
			throw failure(EINVAL, "accel_queue_create: priority is 0 (lowest) to 3");
		auto made = std::make_unique<accel_queue>(
			*context, wanted, static_cast<std::uint32_t>(std::countr_zero(wanted)),
			priority);
		context->add_queue(made.get());
		*queue = made.release();
		return 0;
	});
}

void accel_queue_destroy(accel_queue *queue)
{
	const std::unique_ptr<accel_queue> destroyed(queue);
	if (queue)
		queue->context->remove_queue(queue);
}

int accel_queue_nop(accel_queue *queue, uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_NOP, tag, [](oac_cmd &) {});
}

int accel_queue_barrier(accel_queue *queue, uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_BARRIER, tag, [](oac_cmd &) {});
}

int accel_queue_copy(accel_queue *queue, uint64_t destination, uint64_t source, uint64_t size,
		     uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_COPY, tag, [&](oac_cmd &cmd) {
		cmd.body.copy.src = source;
		cmd.body.copy.dst = destination;
		cmd.body.copy.row_bytes = size;
		cmd.body.copy.rows = 1;
	});
}

int accel_queue_copy_2d(accel_queue *queue, uint64_t destination, uint64_t destination_pitch,
			uint64_t source, uint64_t source_pitch, uint64_t row_size, uint32_t rows,
			uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_COPY, tag, [&](oac_cmd &cmd) {
		cmd.body.copy.src = source;
		cmd.body.copy.dst = destination;
		cmd.body.copy.row_bytes = row_size;
		cmd.body.copy.src_pitch = source_pitch;
		cmd.body.copy.dst_pitch = destination_pitch;
		cmd.body.copy.rows = rows;
	});
}

int accel_queue_fill(accel_queue *queue, uint64_t destination, uint64_t size, uint64_t pattern,
		     unsigned pattern_size, uint32_t tag)
{
	if (!std::has_single_bit(pattern_size) || pattern_size > 8 ||
	    (size & (pattern_size - 1)) != 0) [[unlikely]]
		return accel::error_literal(EINVAL,
					    "accel_queue_fill: pattern_size must be 1, 2, 4 or 8 "
					    "and divide size");
	return accel::push_command(queue, OAC_CMD_FILL, tag, [&](oac_cmd &cmd) {
		cmd.body.fill.dst = destination;
		cmd.body.fill.length = size;
		cmd.body.fill.pattern = pattern;
		cmd.body.fill.pattern_size = pattern_size;
	});
}

int accel_queue_timestamp(accel_queue *queue, uint64_t address, uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_TIMESTAMP, tag,
				   [&](oac_cmd &cmd) { cmd.body.timestamp.va = address; });
}

namespace
{

int cannot_submit(accel_queue *queue)
{
	if (!queue)
		return accel::error_literal(EINVAL, "accel_queue_submit: the queue is NULL");
	return accel::error_literal(ENODEV,
				    "accel_queue_submit: the card is lost; close it and open "
				    "it again once it is back");
}

/* Nothing to take, or nothing that can be believed. */
int nothing_to_reap(accel_queue *queue, std::uint32_t ready)
{
	if (ready == 0 && !queue->is_broken) {
		if (++queue->empty_reaps % REAPS_PER_LOOK == 0)
			queue->card->look();
		if (!queue->lost.load(std::memory_order_relaxed)) [[likely]]
			return 0;
		return accel::error_literal(ENODEV,
					    "accel_queue_reap: the card is lost; close it and "
					    "open it again once it is back");
	}
	queue->is_broken = true;
	return accel::error_literal(EPROTO,
				    "accel_queue_reap: the card posted more completions than it "
				    "was given commands; destroy the queue and reset the card");
}

} // namespace

int accel_queue_submit(accel_queue *queue)
{
	if (!queue || queue->lost.load(std::memory_order_relaxed)) [[unlikely]]
		return cannot_submit(queue);
	if (!queue->ring.has_unrung())
		return 0;
	if (queue->ring.ring_doorbell() &&
	    queue->card->ring(queue->port->queue, queue->ring.rung()) != 0) [[unlikely]]
		return cannot_submit(queue);
	return 0;
}

int accel_queue_reap(accel_queue *queue, struct accel_completion *completions, int max)
{
	if (!queue || !completions || max < 1) [[unlikely]]
		return accel::error_literal(EINVAL, "accel_queue_reap: the queue or the place for "
						    "completions is NULL, or max is below 1");
	accel::ring &ring = queue->ring;
	const std::uint32_t ready = ring.ready();
	if (ready == 0 || !ring.is_credible(ready) || queue->is_broken) [[unlikely]]
		return nothing_to_reap(queue, ready);
	const std::uint32_t count = std::min(ready, static_cast<std::uint32_t>(max));
	for (std::uint32_t i = 0; i < count; i++) {
		const oac_completion &from = ring.peek(i);
		const std::uint16_t status = from.status;
		completions[i] = { from.tag, accel::status_result(status), status, 0, from.info };
	}
	ring.release(count);
	/* Orders nothing more than this core's own loads: see timeline.cpp. */
	if (queue->context->watchers.load(std::memory_order_relaxed) > 0) [[unlikely]]
		queue->context->kick();
	return static_cast<int>(count);
}

unsigned accel_queue_outstanding(const accel_queue *queue)
{
	return queue ? queue->ring.outstanding() : 0;
}
