// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Buffers of a card behind the oac module: host and local memory, the program's own memory, and
// memory of others by dma-buf.
#include "card.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/oac_accel.h>

#include "../../src/error.hpp"
#include "numa.hpp"

namespace accel::kernel
{

namespace
{

/* In buffer_memory.handle, above the kernel's own 32 bits: host is our mapping, to be unmapped. */
constexpr std::uint64_t HAS_MAPPING = std::uint64_t{ 1 } << 32;

std::uint32_t handle_of(const buffer_memory &memory)
{
	return static_cast<std::uint32_t>(memory.handle);
}

/* Into the process but not into its children. nullptr: errno says why not. */
void *map_shared(int fd, std::size_t size, off_t offset)
{
	void *start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (start == MAP_FAILED)
		return nullptr;
	madvise(start, size, MADV_DONTFORK);
	return start;
}

} // namespace

void card::add_use(std::uint32_t handle)
{
	try {
		uses_[handle]++;
	} catch (...) {
		drm_gem_close request = {};
		request.handle = handle;
		try_call(DRM_IOCTL_GEM_CLOSE, &request);
		throw;
	}
}

void card::drop_use(std::uint32_t handle) noexcept
{
	const std::lock_guard guard(handle_lock_);
	const auto use = uses_.find(handle);
	if (use != uses_.end() && --use->second > 0)
		return;
	drm_gem_close request = {};
	request.handle = handle;
	try_call(DRM_IOCTL_GEM_CLOSE, &request);
	if (use != uses_.end())
		uses_.erase(use);
}

buffer_memory card::create(std::size_t size, std::uint32_t flags, const char *what)
{
	drm_oac_bo_create request = {};

	request.size = size;
	request.flags = flags;
	if (const int result = try_call(DRM_IOCTL_OAC_BO_CREATE, &request); result < 0)
		fail(-result, what, request.limit);
	{
		/* A new handle: nobody else can import this memory yet. */
		const std::lock_guard guard(handle_lock_);
		add_use(request.handle);
	}
	buffer_memory memory;
	memory.size = size;
	memory.handle = request.handle;
	memory.host = map_shared(fd_.get(), size, static_cast<off_t>(request.mmap_offset));
	if (!memory.host) {
		const int code = errno;
		buffer_free(memory);
		fail(code, "map a buffer into the process");
	}
	memory.handle |= HAS_MAPPING;
	return memory;
}

buffer_memory card::buffer_alloc(std::size_t size)
{
	const numa_preference near_card(numa_node_);
	const buffer_memory memory = create(size, 0, "allocate a buffer");
	numa_prefer(memory.host, size, numa_node_);
	return memory;
}

buffer_memory card::buffer_alloc_local(std::size_t size)
{
	return create(size, DRM_OAC_BO_LOCAL, "allocate local memory");
}

buffer_memory card::buffer_wrap(void *host, std::size_t size, bool is_read_only)
{
	drm_oac_bo_userptr request = {};

	request.addr = reinterpret_cast<std::uintptr_t>(host);
	request.size = size;
	request.flags = is_read_only ? DRM_OAC_USERPTR_READ_ONLY : 0;
	const int result = try_call(DRM_IOCTL_OAC_BO_USERPTR, &request);
	if (result == -EFAULT)
		throw failure(EFAULT, name_ + ": wrap memory: not all of it is memory of this "
					      "process, or it is read-only; map it, or pass "
					      "ACCEL_WRAP_READ_ONLY");
	if (result == -EOPNOTSUPP)
		throw failure(EOPNOTSUPP, name_ + ": wrap memory: memory of this kind cannot be "
						  "pinned for long; copy it into a buffer");
	if (result < 0)
		fail(-result, "wrap memory", request.limit);
	const std::lock_guard guard(handle_lock_);
	add_use(request.handle);
	buffer_memory memory;
	memory.host = host;
	memory.size = size;
	memory.handle = request.handle;
	return memory;
}

int card::buffer_export(const buffer_memory &memory)
{
	drm_prime_handle request = {};

	request.handle = handle_of(memory);
	request.flags = DRM_CLOEXEC | DRM_RDWR;
	call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &request, "export a buffer");
	return request.fd;
}

buffer_memory card::buffer_import(int fd)
{
	drm_prime_handle request = {};
	buffer_memory memory;

	request.fd = fd;
	{
		const std::lock_guard guard(handle_lock_);
		const int result = try_call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &request);
		if (result == -EBADF || result == -EINVAL)
			throw failure(EINVAL, name_ + ": import a buffer: the descriptor is no "
						      "dma-buf; pass what accel_buffer_export() or "
						      "another driver gave (memory files: "
						      "/dev/udmabuf)");
		if (result == -EOPNOTSUPP)
			throw failure(EOPNOTSUPP, name_ + ": import a buffer: the card has no path "
							  "to this memory; use accel_stage");
		if (result < 0)
			fail(-result, "import a buffer");
		add_use(request.handle);
	}
	memory.handle = request.handle;
	const off_t size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size % sysconf(_SC_PAGESIZE) != 0) {
		buffer_free(memory);
		throw failure(EINVAL, name_ + ": import a buffer: its size is not whole pages");
	}
	memory.size = static_cast<std::size_t>(size);
	memory.host = map_shared(fd, memory.size, 0);
	if (memory.host)
		memory.handle |= HAS_MAPPING;
	return memory;
}

void card::buffer_free(const buffer_memory &memory) noexcept
{
	if (memory.handle & HAS_MAPPING)
		munmap(memory.host, memory.size);
	drop_use(handle_of(memory));
}

} // namespace accel::kernel
