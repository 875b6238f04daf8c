// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The path of a submission, the same for every backend:
//
//  1. accel_queue_copy() and its like write one 64-byte oac_cmd into the submission ring, which is
//     host memory mapped to the queue's context; operators.cpp first writes an oac_op descriptor
//     into the slot of the same number beside it. Nothing has left this core.
//  2. accel_queue_submit() stores the count of written commands into the queue's doorbell page
//     (ring::ring_doorbell), as a release: the only store that matters to the card. Where doorbells
//     are shared memory, it is a full fence, too, and one look at ASLEEP follows; a sleeping card
//     gets the same store through the backend, which wakes it: the only system call there is. A
//     queue that submits through the driver is one whose card always sleeps.
//  3. The card takes the entries through the context's own address space, does the work in order,
//     writes 16-byte oac_completions into the completion ring and then, once per batch, its count
//     into the published tail, which is a cache line of its own.
//  4. accel_queue_reap() loads that line with acquire, checks that the card does not claim more
//     than it was given, and copies the entries out. A poller touches nothing else.
//  5. accel_queue_wait() polls for as long as that paid off lately, then stores ARM into the
//     doorbell page, looks once more, and sleeps in the backend until the card's interrupt
//     (queue_wait.cpp).
//
// Any number of threads may be in here: 1 and 2 hold the queue's submit_lock, 4 its reap_lock, both
// for as long as that takes and no longer. Queues of one thread have no locks.
//
// Errors of the card come back as completions; the driver's own view of the queue, which no user
// memory can forge, is asked only when there is nothing left to reap. What happens to the card as a
// whole moves its epoch, which 2 and an empty 4 compare with the one they know (queue_lost.cpp).
#include "queue.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string_view>

#include "codes.hpp"
#include "command.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr unsigned DEFAULT_DEPTH = 256;
constexpr unsigned NORMAL_PRIORITY = 1;
constexpr unsigned MAX_PRIORITY = 3;
constexpr unsigned MAX_WEIGHT = 1024;
constexpr unsigned QUEUE_FLAGS = ACCEL_QUEUE_ONE_THREAD | ACCEL_QUEUE_DRIVER_SUBMIT;
constexpr std::int64_t SPIN_FIRST_NS = 10'000;
/* A poller looks after the card itself once in so many looks at the ring. */
constexpr std::uint32_t REAPS_PER_LOOK = 1u << 16;

accel::queue_rings rings_at(std::uint64_t va, const accel::queue_rings &how)
{
	const accel::ring_layout layout(std::size_t{ 1 } << how.depth_log2);
	accel::queue_rings rings = how;
	rings.sq_va = va;
	rings.cq_va = va + layout.cq();
	rings.tail_va = va + layout.tail();
	return rings;
}

/* For queues made without options. */
bool is_driver_wanted()
{
	const char *given = std::getenv("ACCEL_SUBMIT");
	if (!given)
		return false;
	const std::string_view wanted(given);
	if (wanted != "driver" && wanted != "user")
		throw failure(EINVAL, "ACCEL_SUBMIT=" + std::string(wanted) +
					      ": set it to \"user\" or \"driver\", or unset it");
	return wanted == "driver";
}

void check_options(const accel_queue_options &options)
{
	if ((options.flags & ~QUEUE_FLAGS) != 0)
		throw failure(EINVAL, "accel_queue_create_with: unknown flags " +
					      std::to_string(options.flags & ~QUEUE_FLAGS) +
					      "; pass ACCEL_QUEUE_* only");
	if (options.has_priority > 1)
		throw failure(EINVAL, "accel_queue_create_with: has_priority is 0 or 1");
	if (options.has_priority && options.priority > MAX_PRIORITY)
		throw failure(EINVAL, "accel_queue_create: priority is 0 (lowest) to 3");
	if (options.weight > MAX_WEIGHT)
		throw failure(EINVAL, "accel_queue_create_with: weight is 1 to 1024, or 0 for 64");
	if (std::ranges::any_of(options.reserved, [](auto word) { return word != 0; }))
		throw failure(EINVAL, "accel_queue_create_with: reserved is not zero; zero the "
				      "struct before filling it");
}

int create_queue(accel_context &context, const accel_queue_options &options, accel_queue **queue)
{
	check_options(options);
	context.require_live();
	const auto info = context.device->backend->info();
	if (info.max_depth_log2 == 0)
		throw failure(EHOSTDOWN,
			      accel::card_text(*context.device->backend) +
				      ": its firmware is not running; wait with "
				      "accel_device_recover(), or load one with 'accelctl "
				      "fw load'");
	const unsigned depth = options.depth ? options.depth : DEFAULT_DEPTH;
	const unsigned max = 1u << info.max_depth_log2;
	if (!std::has_single_bit(depth) || depth < 2 || depth > max)
		throw failure(EINVAL, "accel_queue_create: depth " + std::to_string(depth) +
					      " is not a power of two from 2 to " +
					      std::to_string(max));
	accel::queue_rings how;
	how.depth_log2 = static_cast<std::uint32_t>(std::countr_zero(depth));
	how.priority = options.has_priority ? options.priority : NORMAL_PRIORITY;
	how.weight = options.weight;
	how.is_driver_submit = (options.flags & ACCEL_QUEUE_DRIVER_SUBMIT) != 0 ||
			       !info.has_user_submit;
	auto made = std::make_unique<accel_queue>(context, how,
						  (options.flags & ACCEL_QUEUE_ONE_THREAD) != 0);
	context.add_queue(made.get());
	*queue = made.release();
	return 0;
}

} // namespace

accel_queue::accel_queue(accel_context &in, const accel::queue_rings &how, bool is_one_thread)
	: memory(in, accel::ring_layout(std::size_t{ 1 } << how.depth_log2).size()),
	  port(*in.device->backend, in.id, rings_at(memory.address(), how)),
	  ring(memory.host(), memory.address(), 1u << how.depth_log2,
	       static_cast<std::byte *>(port->doorbell), port->shared),
	  submit_lock(!is_one_thread), reap_lock(!is_one_thread),
	  epoch(in.device->backend->epoch()), epoch_seen(in.epoch_seen.load()), context(&in),
	  card(in.device->backend.get()), spin_ns(SPIN_FIRST_NS)
{
}

/* Their holders are not in this process. */
void accel_queue::abandon() noexcept
{
	ring.abandon();
	submit_lock.reset();
	reap_lock.reset();
}

int accel_queue_create(accel_context *context, unsigned depth, unsigned priority,
		       accel_queue **queue)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(queue, "queue");
		accel_queue_options options{};
		options.depth = depth;
		options.has_priority = 1;
		options.priority = priority;
		options.flags = is_driver_wanted() ? ACCEL_QUEUE_DRIVER_SUBMIT : 0;
		return create_queue(*context, options, queue);
	});
}

int accel_queue_create_with(accel_context *context, const struct accel_queue_options *options,
			    accel_queue **queue)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(options, "options");
		accel::require(queue, "queue");
		return create_queue(*context, *options, queue);
	});
}

void accel_queue_destroy(accel_queue *queue)
{
	if (!queue || accel::is_foreign(*queue->context->device))
		return;
	const accel::no_cancel whole;
	const std::unique_ptr<accel_queue> destroyed(queue);
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
	return accel::push_command(queue, OAC_CMD_COPY, tag, [=](oac_cmd &cmd) {
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
	return accel::push_command(queue, OAC_CMD_COPY, tag, [=](oac_cmd &cmd) {
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
	return accel::push_command(queue, OAC_CMD_FILL, tag, [=](oac_cmd &cmd) {
		cmd.body.fill.dst = destination;
		cmd.body.fill.length = size;
		cmd.body.fill.pattern = pattern;
		cmd.body.fill.pattern_size = pattern_size;
	});
}

int accel_queue_timestamp(accel_queue *queue, uint64_t address, uint32_t tag)
{
	return accel::push_command(queue, OAC_CMD_TIMESTAMP, tag,
				   [=](oac_cmd &cmd) { cmd.body.timestamp.va = address; });
}

namespace
{

int lost_text(const char *text)
{
	return accel::error_literal(ENODEV, text);
}

[[gnu::noinline]] int cannot_submit(accel_queue *queue)
{
	if (!queue)
		return accel::error_literal(EINVAL, "accel_queue_submit: the queue is NULL");
	if (accel::is_foreign(*queue->context->device))
		return lost_text(accel::FOREIGN_TEXT);
	if (!queue->has_news())
		return 0;
	const int state = accel::look_after_queue(*queue);
	if (state == -ESTALE)
		return accel::error_literal(ESTALE, accel::STALE_TEXT);
	if (state == 0)
		return 0;
	return lost_text("accel_queue_submit: the card is lost; close it and open it again once it "
			 "is back");
}

/* Through the backend, since the card sleeps or the driver submits. before: the count rung last. */
[[gnu::noinline]] int ring_by_backend(accel_queue *queue, std::uint32_t before)
{
	const accel::no_cancel whole;
	const int result = queue->card->ring(queue->port->queue, queue->ring.rung());
	if (result == 0) [[likely]]
		return 0;
	queue->ring.take_back(before);
	if (result == -ENODEV)
		return lost_text("accel_queue_submit: the card is lost; close it and open it again "
				 "once it is back");
	if (result == -ESTALE) {
		queue->mark_lost();
		return accel::error_literal(ESTALE, accel::STALE_TEXT);
	}
	if (result == -EHOSTDOWN)
		return accel::error_literal(EHOSTDOWN,
					    "accel_queue_submit: the card is being recovered; reap "
					    "what there is, or wait with accel_device_recover()");
	if (result == -EIO)
		return accel::error_literal(EIO,
					    "accel_queue_submit: the queue is in error and takes "
					    "nothing more; reap what is left, then destroy it");
	return accel::error_literal(
		-result, "accel_queue_submit: the driver refused the commands, which are "
			 "not with the card; look at dmesg, and destroy the queue");
}

[[gnu::noinline, gnu::cold]] int wrong_reap()
{
	return accel::error_literal(EINVAL, "accel_queue_reap: the queue or the place for "
					    "completions is NULL, or max is below 1");
}

/* Those who wait for timelines, and who sleeps for completions, may have been meant, too. */
[[gnu::noinline]] int wake_others(accel_queue *queue, int count) noexcept
{
	if (queue->context->watchers.load(std::memory_order_relaxed) > 0)
		queue->context->kick();
	if (queue->is_asleep.load(std::memory_order_relaxed))
		queue->wake();
	return count;
}

/* Something befell the card. */
[[gnu::noinline]] int reap_news(accel_queue *queue, accel_completion *to, std::uint32_t max)
{
	if (accel::is_foreign(*queue->context->device))
		return lost_text(accel::FOREIGN_TEXT);
	const int result = accel::reap_after_loss(*queue, to, max);
	if (result > 0)
		return wake_others(queue, result);
	if (result == -ESTALE)
		return accel::error_literal(ESTALE, accel::STALE_TEXT);
	if (result == -ENODEV)
		return lost_text("accel_queue_reap: the card is lost; close it and open it again "
				 "once it is back");
	return result;
}

/* Nothing to take, nothing that can be believed, or no place for it. */
[[gnu::noinline]] int nothing_to_reap(accel_queue *queue, std::uint32_t ready, accel_completion *to,
				      int max)
{
	if (max < 1)
		return wrong_reap();
	const bool is_empty = ready == 0 && !queue->is_broken;
	if (is_empty && ++queue->empty_reaps % REAPS_PER_LOOK == 0) {
		const accel::no_cancel whole;
		queue->card->look();
	}
	if (queue->has_news()) [[unlikely]] {
		const int result = reap_news(queue, to, static_cast<std::uint32_t>(max));
		if (result != 0)
			return result;
	}
	if (is_empty)
		return 0;
	queue->is_broken = true;
	return accel::error_literal(EPROTO,
				    "accel_queue_reap: the card posted completions of commands that "
				    "it was not given; destroy the queue and reset the card");
}

/* Under the submission side's lock. */
[[gnu::always_inline]] inline int submit_on_side(accel_queue *queue) noexcept
{
	accel::ring &ring = queue->ring;
	const std::uint32_t count = ring.tail();
	const std::uint32_t before = ring.rung();
	if (count != before && ring.ring_doorbell(count)) [[unlikely]]
		return ring_by_backend(queue, before);
	return 0;
}

/* All of a submission, apart: the short way needs no stack then. */
[[gnu::noinline, gnu::cold]] int submit_after_news(accel_queue *queue) noexcept
{
	if (const int result = cannot_submit(queue); result != 0)
		return result;
	return accel::on_side<&accel_queue::submit_lock, submit_on_side>(queue);
}

/* Completions up to the count end have been copied out; how many those are. */
[[gnu::always_inline]] inline int end_reap(accel_queue *queue, std::uint32_t end) noexcept
{
	const int count = static_cast<int>(end - queue->ring.own_head());
	queue->ring.release(end);
	/* Orders nothing more than this core's own loads: see timeline.cpp and queue_wait.cpp. */
	if (queue->listeners.load(std::memory_order_relaxed) != 0) [[unlikely]]
		return wake_others(queue, count);
	return count;
}

/*
 * The last left ones, from the count at on, not all of which have succeeded, or are of the commands
 * that are due: commands end in order.
 */
[[gnu::noinline]] int reap_failed(accel_queue *queue, accel_completion *to, std::uint32_t at,
				  int left) noexcept
{
	for (; left > 0; left--) {
		if (!queue->ring.is_due(at)) {
			queue->is_broken = true;
			if (at == queue->ring.own_head())
				return nothing_to_reap(queue, 0, to, left);
			break;
		}
		const oac_completion from = queue->ring.completion(at++);
		*to++ = { from.tag, accel::status_result(from.status), from.status, 0, from.info };
	}
	return end_reap(queue, at);
}

/* Under the reaping side's lock. */
[[gnu::always_inline]] inline int reap_on_side(accel_queue *queue, accel_completion *to,
					       int max) noexcept
{
	accel::ring &ring = queue->ring;
	std::uint32_t at = ring.own_head();
	const std::uint32_t ready = ring.published() - at;
	/* more than are credible may be below zero here, and are found out below */
	int left = std::min(static_cast<int>(ready), max);
	if (left <= 0 || !ring.is_credible(ready, at) || queue->is_broken) [[unlikely]]
		return nothing_to_reap(queue, ready, to, max);
	do {
		const oac_completion &from = ring.completion(at);
		if (from.status != OAC_ST_SUCCESS || from.tag != ring.tag(at)) [[unlikely]]
			return reap_failed(queue, to, at, left);
		*to++ = { from.tag, 0, 0, 0, from.info };
		at++;
	} while (--left != 0);
	return end_reap(queue, at);
}

} // namespace

int accel_queue_submit(accel_queue *queue)
{
	if (!queue || queue->has_news()) [[unlikely]]
		return submit_after_news(queue);
	return accel::on_side<&accel_queue::submit_lock, submit_on_side>(queue);
}

int accel_queue_reap(accel_queue *queue, struct accel_completion *completions, int max)
{
	if (!queue || !completions) [[unlikely]]
		return wrong_reap();
	return accel::on_side<&accel_queue::reap_lock, reap_on_side>(queue, completions, max);
}

unsigned accel_queue_outstanding(const accel_queue *queue)
{
	return queue ? queue->ring.outstanding() : 0;
}
