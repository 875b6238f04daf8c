// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's context, and maps of buffers into it.
#include "context.hpp"
#include "queue.hpp"

#include <algorithm>

#include <sys/eventfd.h>

#include <hw/oac_admin.h>

using accel::failure;
using accel::guard;

namespace
{

/* The lowest addresses are left out, so that small numbers taken for addresses fault. */
constexpr std::uint64_t VA_FIRST = 0x10000;
constexpr std::uint64_t VA_END = std::uint64_t{ 1 } << OAC_VA_BITS;
constexpr std::uint64_t LARGE = std::uint64_t{ 2 } << 20;
constexpr unsigned MAP_FLAGS = ACCEL_MAP_READ | ACCEL_MAP_WRITE;

bool is_page_aligned(std::uint64_t value)
{
	return (value & (OAC_PAGE_SIZE - 1)) == 0;
}

} // namespace

accel_context::accel_context(accel_device &from)
	: device(&from), epoch_seen(from.backend->epoch().load()), id(0), child(from.children),
	  kick_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), space(VA_FIRST, VA_END)
{
	if (!kick_fd.is_open())
		throw failure(errno, "context: no eventfd: " + accel::errno_text(errno));
	id = from.backend->context_create();
}

accel_context::~accel_context()
{
	for (const auto &[address, map] : maps)
		map.buffer->maps.fetch_sub(1);
	if (id)
		device->backend->context_destroy(id);
}

std::uint64_t accel_context::map(accel_buffer &buffer, std::size_t offset, std::size_t size,
				 unsigned flags, bool is_internal)
{
	const std::size_t whole = buffer.memory.size;
	if (!is_page_aligned(offset) || !is_page_aligned(size) || offset >= whole ||
	    size > whole - offset)
		throw failure(EINVAL,
			      "accel_buffer_map: offset and size must be whole pages within "
			      "the buffer's " +
				      std::to_string(whole) + " bytes");
	if (flags == 0 || (flags & ~MAP_FLAGS) != 0)
		throw failure(EINVAL, "accel_buffer_map: flags must be ACCEL_MAP_READ, "
				      "ACCEL_MAP_WRITE or both");
	if (buffer.device != device)
		throw failure(EXDEV, "accel_buffer_map: the buffer belongs to card " +
					     buffer.device->backend->name() +
					     ", the context to card " + device->backend->name() +
					     "; export it and import it there");
	if (size == 0)
		size = whole - offset;

	const std::uint64_t address = reserve(buffer, size, is_internal);
	try {
		device->backend->map(id, buffer.memory, offset, size, address, flags);
	} catch (...) {
		forget(address);
		throw;
	}
	const std::lock_guard lock(mutex);
	maps.at(address).is_changing = false;
	return address;
}

/* The place of a map of which the card does not know yet. */
std::uint64_t accel_context::reserve(accel_buffer &buffer, std::size_t size, bool is_internal)
{
	const std::lock_guard lock(mutex);
	const auto address = space.take(size, size >= LARGE ? LARGE : OAC_PAGE_SIZE);
	if (!address)
		throw failure(ENOSPC,
			      accel::card_text(*device->backend) +
				      ": no device address range of this size is free; unmap some");
	try {
		maps.emplace(*address, mapped{ &buffer, is_internal });
	} catch (...) {
		space.give(*address);
		throw;
	}
	buffer.maps.fetch_add(1);
	return *address;
}

void accel_context::forget(std::uint64_t address) noexcept
{
	const std::lock_guard lock(mutex);
	const auto found = maps.find(address);
	if (found == maps.end())
		return;
	found->second.buffer->maps.fetch_sub(1);
	maps.erase(found);
	space.give(address);
}

/* The size of a map that is now changing: another thread finds it no more. */
std::size_t accel_context::take_out(std::uint64_t address, bool is_internal)
{
	const std::lock_guard lock(mutex);
	const auto found = maps.find(address);
	if (found == maps.end() || found->second.is_internal != is_internal ||
	    found->second.is_changing)
		throw failure(ENOENT,
			      "accel_buffer_unmap: no map starts at this address; pass what "
			      "accel_buffer_map() gave");
	found->second.is_changing = true;
	return space.size_at(address);
}

void accel_context::unmap(std::uint64_t address, bool is_internal)
{
	const std::size_t size = take_out(address, is_internal);
	try {
		device->backend->unmap(id, address, size);
	} catch (const std::system_error &failed) {
		/* A card, or context, that is lost or about to be reaches nothing: the buffer can go. */
		const int code = failed.code().value();
		if (code == ENODEV || code == ESTALE || code == EHOSTDOWN) {
			forget(address);
		} else {
			const std::lock_guard lock(mutex);
			maps.at(address).is_changing = false;
		}
		throw;
	}
	forget(address);
}

void accel_context::require_live()
{
	accel::backend &card = *device->backend;
	const std::uint32_t epoch = card.epoch().load(std::memory_order_acquire);
	if (epoch == epoch_seen.load(std::memory_order_relaxed))
		return;
	if (card.is_lost())
		throw failure(ENODEV,
			      accel::card_text(card) + ": it is lost; close and open it again");
	if (card.context_lost(id) != OAC_LOST_NO)
		throw failure(ESTALE, accel::card_text(card) + ": " + accel::STALE_TEXT);
	epoch_seen.store(epoch, std::memory_order_relaxed);
}

void accel_context::count(accel_usage &usage)
{
	const std::lock_guard lock(mutex);
	usage.queues = queues.size();
	for (const auto &[address, map] : maps) {
		if (map.is_internal)
			continue;
		usage.maps++;
		usage.mapped_bytes += space.size_at(address);
	}
}

void accel_context::add_queue(accel_queue *queue)
{
	{
		const std::lock_guard lock(mutex);
		queues.push_back(queue);
		queue->listeners.fetch_add(watchers, std::memory_order_relaxed);
		queues_epoch++;
	}
	kick();
}

void accel_context::remove_queue(accel_queue *queue) noexcept
{
	const std::lock_guard lock(mutex);
	std::erase(queues, queue);
	queues_epoch++;
}

void accel_context::add_watcher()
{
	const std::lock_guard lock(mutex);
	watchers.fetch_add(1);
	for (accel_queue *queue : queues)
		queue->listeners.fetch_add(1);
}

void accel_context::remove_watcher() noexcept
{
	const std::lock_guard lock(mutex);
	watchers.fetch_sub(1);
	for (accel_queue *queue : queues)
		queue->listeners.fetch_sub(1);
}

void accel_context::kick() const noexcept
{
	const accel::no_cancel whole;
	eventfd_write(kick_fd.get(), 1);
}

namespace accel
{

internal_map::internal_map(accel_context &context, accel_buffer &buffer)
	: context_(context),
	  address_(context.map(buffer, 0, 0, ACCEL_MAP_READ | ACCEL_MAP_WRITE, true))
{
}

internal_map::~internal_map()
{
	try {
		context_.unmap(address_, true);
	} catch (const std::exception &) {
		/* Forget the map, so that nothing refers to the buffer; its address stays taken. */
		const std::lock_guard lock(context_.mutex);
		const auto found = context_.maps.find(address_);
		if (found == context_.maps.end())
			return;
		found->second.buffer->maps.fetch_sub(1);
		context_.maps.erase(found);
	}
}

} // namespace accel

int accel_context_create(accel_device *device, accel_context **context)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(context, "context");
		*context = std::make_unique<accel_context>(*device).release();
		return 0;
	});
}

int accel_context_destroy(accel_context *context)
{
	return guard([&] {
		if (!context)
			return 0;
		accel::require(context, "context");
		{
			const std::lock_guard lock(context->mutex);
			if (!context->queues.empty() || context->timelines > 0)
				throw failure(EBUSY,
					      "context: it has " +
						      std::to_string(context->queues.size()) +
						      " queues and " +
						      std::to_string(context->timelines) +
						      " timelines; destroy them first");
		}
		const std::unique_ptr<accel_context> destroyed(context);
		return 0;
	});
}

int accel_context_lost(accel_context *context)
{
	return guard([&] {
		accel::require(context, "context");
		return static_cast<int>(context->device->backend->context_lost(context->id));
	});
}

int accel_context_usage(accel_context *context, struct accel_usage *usage)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(usage, "usage");
		context->require_live();
		const auto spent = context->device->backend->context_usage(context->id);
		accel_usage all{};
		context->count(all);
		all.compute_ns = spent.compute_ns;
		all.copy_ns = spent.copy_ns;
		all.commands = spent.commands;
		all.errors = spent.errors;
		*usage = all;
		return 0;
	});
}

int accel_buffer_map(accel_context *context, accel_buffer *buffer, size_t offset, size_t size,
		     unsigned flags, uint64_t *address)
{
	return guard([&] {
		accel::require(context, "context");
		accel::require(buffer, "buffer");
		accel::require(address, "address");
		*address = context->map(*buffer, offset, size, flags, false);
		return 0;
	});
}

int accel_buffer_unmap(accel_context *context, uint64_t address)
{
	return guard([&] {
		accel::require(context, "context");
		context->unmap(address, false);
		return 0;
	});
}
