// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's buffer: memory that cards can reach, of each kind there is. Maps of it are the context's.
#include "context.hpp"

#include <string_view>

#include <hw/oac_types.h>

#include "unique_fd.hpp"

using accel::failure;
using accel::guard;

namespace
{

constexpr std::size_t PAGE_MASK = OAC_PAGE_SIZE - 1;

std::size_t whole_pages(std::size_t size, const char *call)
{
	if (size == 0 || size > SIZE_MAX - PAGE_MASK)
		throw failure(EINVAL, std::string(call) +
					      ": the size must be 1 byte or more, and fit in "
					      "the address space");
	return (size + PAGE_MASK) & ~PAGE_MASK;
}

template <typename Make>
int make_buffer(accel_device *device, enum accel_buffer_kind kind, accel_buffer **buffer,
		const Make &make)
{
	*buffer = std::make_unique<accel_buffer>(*device, kind, make).release();
	return 0;
}

void check_wrapped(const void *host, std::size_t size, unsigned flags)
{
	const auto start = reinterpret_cast<std::uintptr_t>(host);
	if (((start | size) & PAGE_MASK) != 0 || size == 0 || size > UINTPTR_MAX - start)
		throw failure(EINVAL, "accel_buffer_wrap: memory must begin at a multiple of 4096 "
				      "and be whole pages; allocate it with aligned_alloc() or "
				      "mmap()");
	if ((flags & ~ACCEL_WRAP_READ_ONLY) != 0)
		throw failure(EINVAL, "accel_buffer_wrap: flags may be ACCEL_WRAP_READ_ONLY");
}

} // namespace

namespace accel
{

std::unique_ptr<accel_buffer> import_into(accel_device &device, const accel_buffer &buffer)
{
	const backend &from = *buffer.device->backend;
	if (std::string_view(from.kind()) == "direct" && device.backend->kind() != from.kind())
		throw failure(EOPNOTSUPP, card_text(*device.backend) +
						  ": the kernel driver takes no memory of " +
						  card_text(from) +
						  "; create it for this card and share it there");
	const unique_fd file(buffer.device->backend->buffer_export(buffer.memory));
	return std::make_unique<accel_buffer>(device, ACCEL_BUFFER_IMPORTED, [&] {
		return device.backend->buffer_import(file.get());
	});
}

} // namespace accel

int accel_buffer_alloc(accel_device *device, size_t size, accel_buffer **buffer)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(buffer, "buffer");
		const std::size_t whole = whole_pages(size, "accel_buffer_alloc");
		return make_buffer(device, ACCEL_BUFFER_HOST, buffer,
				   [&] { return device->backend->buffer_alloc(whole); });
	});
}

int accel_buffer_alloc_local(accel_device *device, size_t size, accel_buffer **buffer)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(buffer, "buffer");
		const std::size_t whole = whole_pages(size, "accel_buffer_alloc_local");
		return make_buffer(device, ACCEL_BUFFER_LOCAL, buffer,
				   [&] { return device->backend->buffer_alloc_local(whole); });
	});
}

int accel_buffer_wrap(accel_device *device, void *host, size_t size, unsigned flags,
		      accel_buffer **buffer)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(host, "host");
		accel::require(buffer, "buffer");
		check_wrapped(host, size, flags);
		const bool is_read_only = (flags & ACCEL_WRAP_READ_ONLY) != 0;
		return make_buffer(device, ACCEL_BUFFER_WRAPPED, buffer, [&] {
			return device->backend->buffer_wrap(host, size, is_read_only);
		});
	});
}

int accel_buffer_export(accel_buffer *buffer, int *fd)
{
	return guard([&] {
		accel::require(buffer, "buffer");
		accel::require(fd, "fd");
		if (buffer->kind == ACCEL_BUFFER_WRAPPED)
			throw failure(EOPNOTSUPP, "accel_buffer_export: wrapped memory stays its "
						  "process's own; copy it into a buffer of "
						  "accel_buffer_alloc()");
		*fd = buffer->device->backend->buffer_export(buffer->memory);
		return 0;
	});
}

int accel_buffer_import(accel_device *device, int fd, accel_buffer **buffer)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(buffer, "buffer");
		return make_buffer(device, ACCEL_BUFFER_IMPORTED, buffer,
				   [&] { return device->backend->buffer_import(fd); });
	});
}

enum accel_buffer_kind accel_buffer_kind(const accel_buffer *buffer)
{
	return buffer ? buffer->kind : ACCEL_BUFFER_HOST;
}

int accel_buffer_free(accel_buffer *buffer)
{
	return guard([&] {
		if (!buffer)
			return 0;
		if (buffer->maps.load() > 0)
			throw failure(
				EBUSY,
				"buffer: it is mapped; unmap it or destroy the context first");
		const std::unique_ptr<accel_buffer> freed(buffer);
		return 0;
	});
}

void *accel_buffer_host(const accel_buffer *buffer)
{
	return buffer ? buffer->memory.host : nullptr;
}

size_t accel_buffer_size(const accel_buffer *buffer)
{
	return buffer ? buffer->memory.size : 0;
}
