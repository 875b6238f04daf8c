// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See host_memory.hpp.
#include "host_memory.hpp"

#include <cerrno>

#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>

#include <hw/oac_types.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

/* Bus addresses below 4 GiB are left alone: a wrong zero-extended pointer hits nothing. */
constexpr std::uint64_t BUS_FIRST = std::uint64_t{ 1 } << 32;
constexpr std::uint64_t BUS_END = std::uint64_t{ 1 } << 48;
constexpr std::size_t LARGE = std::size_t{ 2 } << 20;

[[noreturn]] void throw_no_memory(const char *step, std::size_t size)
{
	const int code = errno == ENOSPC || errno == EAGAIN ? ENOMEM : errno;
	throw failure(code, "host memory of " + std::to_string(size) + " bytes: " + step + ": " +
				    errno_text(code));
}

/* Where the kernel pleases, or for large ones at a multiple of 2 MiB, for huge pages. */
mapping map_file(int fd, std::size_t size)
{
	if (size < LARGE) {
		void *start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (start == MAP_FAILED)
			throw_no_memory("mmap", size);
		return mapping(start, size);
	}
	const std::size_t room = size + LARGE;
	void *reserved = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (reserved == MAP_FAILED)
		throw_no_memory("mmap", size);
	auto *first = static_cast<std::byte *>(reserved);
	const std::size_t before =
		(LARGE - reinterpret_cast<std::uintptr_t>(first) % LARGE) % LARGE;
	void *start =
		mmap(first + before, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (start == MAP_FAILED) {
		const int code = errno;
		munmap(reserved, room);
		errno = code;
		throw_no_memory("mmap", size);
	}
	if (before > 0)
		munmap(first, before);
	if (room - before > size)
		munmap(first + before + size, room - before - size);
	madvise(start, size, MADV_HUGEPAGE);
	return mapping(start, size);
}

/* A preference: pages come from another node when this one is full. Failing changes nothing else. */
void prefer_node(const mapping &memory, int node)
{
	constexpr unsigned MASK_BITS = 1024;
	constexpr unsigned WORD_BITS = 8 * sizeof(unsigned long);
	const unsigned bit = static_cast<unsigned>(node);
	if (node < 0 || bit >= MASK_BITS || numa_available() < 0)
		return;
	unsigned long mask[MASK_BITS / WORD_BITS] = {};
	mask[bit / WORD_BITS] = 1ul << bit % WORD_BITS;
	mbind(memory.data(), memory.size(), MPOL_PREFERRED, mask, MASK_BITS, 0);
}

} // namespace

bus_addresses::bus_addresses(bus &on) : bus_(on), space_(BUS_FIRST, BUS_END)
{
}

std::uint64_t bus_addresses::take(std::uint64_t size, std::uint64_t alignment)
{
	const std::lock_guard lock(mutex_);
	const auto address = space_.take(size, alignment);
	if (!address)
		throw failure(ENOSPC, "host memory: no bus addresses are left; free some buffers");
	return *address;
}

void bus_addresses::give(std::uint64_t address) noexcept
{
	const std::lock_guard lock(mutex_);
	space_.give(address);
}

host_memory::host_memory(bus_addresses &addresses, std::size_t size) : addresses_(addresses)
{
	const unique_fd file(memfd_create("accel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (!file.is_open())
		throw_no_memory("memfd_create", size);
	if (size > INT64_MAX || ftruncate(file.get(), static_cast<off_t>(size)) != 0)
		throw_no_memory("ftruncate", size);
	/* So that the card's side may map it without fear of SIGBUS. */
	fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	memory_ = map_file(file.get(), size);
	prefer_node(memory_, addresses.target().numa_node());
	address_ = addresses.take(size, size >= LARGE ? LARGE : OAC_PAGE_SIZE);
	try {
		addresses.target().dma_map(file.get(), size, address_);
	} catch (...) {
		addresses.give(address_);
		throw;
	}
}

host_memory::~host_memory()
{
	try {
		addresses_.target().dma_unmap(address_, memory_.size());
	} catch (const std::exception &) {
		/* The card is gone, and its access with it. */
	}
	addresses_.give(address_);
}

} // namespace accel::direct
