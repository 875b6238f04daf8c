// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A device address space: which addresses are taken by which buffer, and the queues and timelines
// that live in it. The library picks addresses, the backend only maps them.
//
// Lock order: a timeline's share mutex, its mutex, a context's mutex, a queue's arm mutex. None is
// ever taken on the data path, and never those of two contexts. But for the first, none is held while
// a card is waited for: waits for timelines take them, and have deadlines.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "address_space.hpp"
#include "device.hpp"
#include "unique_fd.hpp"

struct accel_buffer {
	accel_device *device;
	enum accel_buffer_kind kind;
	accel::buffer_memory memory;
	std::atomic<unsigned> maps{ 0 };
	accel::child_count child;	/* of device */

	/* make() gives the memory, which is then this object's. */
	template <typename Make>
	accel_buffer(accel_device &from, enum accel_buffer_kind what, const Make &make)
		: device(&from), kind(what), memory(make()), child(from.children)
	{
	}
	accel_buffer(accel_device &from, std::size_t size)
		: accel_buffer(from, ACCEL_BUFFER_HOST,
			       [&] { return from.backend->buffer_alloc(size); })
	{
	}
	accel_buffer(const accel_buffer &) = delete;
	accel_buffer &operator=(const accel_buffer &) = delete;
	~accel_buffer() { device->backend->buffer_free(memory); }
};

struct accel_context {
	explicit accel_context(accel_device &from);
	accel_context(const accel_context &) = delete;
	accel_context &operator=(const accel_context &) = delete;
	~accel_context();

	std::uint64_t map(accel_buffer &buffer, std::size_t offset, std::size_t size,
			  unsigned flags, bool is_internal);
	/* is_internal: rings and timelines, which the user may not unmap. */
	void unmap(std::uint64_t address, bool is_internal);
	/* Queues and maps of the user's. */
	void count(accel_usage &usage);

	void add_queue(accel_queue *queue);
	void remove_queue(accel_queue *queue) noexcept;
	/* Wakes those who wait for timelines of this context. */
	void kick() const noexcept;
	/* Waits for timelines begin and end: each queue's reaps tell of themselves meanwhile. */
	void add_watcher();
	void remove_watcher() noexcept;
	/* A map that is gone, or never came to be. */
	void forget(std::uint64_t address) noexcept;

	accel_device *device;
	std::uint32_t id;
	accel::child_count child;
	accel::unique_fd kick_fd;		/* eventfd, never read: see timeline.cpp */
	std::atomic<unsigned> watchers{ 0 }; /* waits for timelines going on now */
	std::mutex mutex;			/* guards all below */
	accel::address_space space;
	struct mapped {
		accel_buffer *buffer;
		bool is_internal;
		bool is_changing = true;	/* the card is being told */
	};
	std::map<std::uint64_t, mapped> maps;	/* by device address */
	std::vector<accel_queue *> queues;
	std::uint64_t queues_epoch = 0;		/* counts changes of queues */
	unsigned timelines = 0;			/* made here, and shared with */

private:
	std::uint64_t reserve(accel_buffer &buffer, std::size_t size, bool is_internal);
	std::size_t take_out(std::uint64_t address, bool is_internal);
};

namespace accel
{

/* The same memory for another card: exported and imported. Throws what these may. */
std::unique_ptr<accel_buffer> import_into(accel_device &device, const accel_buffer &buffer);

/* A map of all of a buffer that the user may not unmap, for as long as it lives. */
class internal_map
{
public:
	internal_map(accel_context &context, accel_buffer &buffer);
	internal_map(const internal_map &) = delete;
	internal_map &operator=(const internal_map &) = delete;
	~internal_map();
	accel_context &context() const noexcept { return context_; }
	std::uint64_t address() const noexcept { return address_; }

private:
	accel_context &context_;
	std::uint64_t address_;
};

/* A buffer of the library's own, mapped to one context for as long as it lives. */
class internal_buffer
{
public:
	internal_buffer(accel_context &context, std::size_t size)
		: buffer_(*context.device, size), map_(context, buffer_)
	{
	}
	accel_buffer &buffer() noexcept { return buffer_; }
	std::byte *host() const noexcept { return static_cast<std::byte *>(buffer_.memory.host); }
	std::uint64_t address() const noexcept { return map_.address(); }

private:
	accel_buffer buffer_;
	internal_map map_;
};

} // namespace accel
