// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's buffer: host memory that cards can reach. Maps of it are the context's.
#include "context.hpp"

#include <hw/oac_types.h>

using accel::failure;
using accel::guard;

int accel_buffer_alloc(accel_device *device, size_t size, accel_buffer **buffer)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(buffer, "buffer");
		const std::size_t mask = OAC_PAGE_SIZE - 1;
		if (size == 0 || size > SIZE_MAX - mask)
			throw failure(EINVAL,
				      "accel_buffer_alloc: the size must be 1 byte or more, and "
				      "fit in the address space");
		*buffer = std::make_unique<accel_buffer>(*device, (size + mask) & ~mask).release();
		return 0;
	});
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
