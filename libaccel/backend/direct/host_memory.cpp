// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See host_memory.hpp.
#include "host_memory.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

[[noreturn]] void refuse_import(const char *why)
{
	throw failure(EINVAL, std::string("accel_buffer_import: ") + why);
}

/*
 * A memory file that could shrink under the card would end the card's process by SIGBUS, and ours.
 * So it is sealed here, unless its maker did, or forbade it.
 */
void keep_from_shrinking(int file)
{
	const int seals = fcntl(file, F_GET_SEALS);
	if (seals < 0)
		refuse_import(
			"neither a dma-buf nor a memory file; pass what accel_buffer_export() "
			"or memfd_create() gave");
	if ((fcntl(file, F_GETFL) & O_ACCMODE) != O_RDWR ||
	    (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
		refuse_import("the memory file is read-only; open it for reading and writing");
	if (!(seals & F_SEAL_SHRINK) && fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
		refuse_import("the memory file may shrink and forbids to seal it; make it with "
			      "MFD_ALLOW_SEALING, or seal it with F_SEAL_SHRINK");
}

bool is_dma_buf(int file)
{
	struct statfs status;
	return fstatfs(file, &status) == 0 &&
	       static_cast<unsigned long>(status.f_type) == DMA_BUF_MAGIC;
}

std::size_t size_of_import(int file)
{
	std::int64_t size;
	if (fcntl(file, F_GETFD) < 0)
		refuse_import("the descriptor is not open");
	if (is_dma_buf(file)) {
		size = lseek(file, 0, SEEK_END);
	} else {
		keep_from_shrinking(file);
		struct stat status {};
		size = fstat(file, &status) == 0 ? status.st_size : -1;
	}
	if (size <= 0 || (size & (OAC_PAGE_SIZE - 1)) != 0)
		refuse_import("its size is not whole pages; make it a multiple of 4096 bytes");
	return static_cast<std::size_t>(size);
}

/* Descriptors kept for export, of all cards. */
std::atomic<unsigned> kept_files{ 0 };

unsigned most_kept_files()
{
	rlimit limit{};
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return 512;
	return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, UINT32_MAX) / 2);
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

/* The card may have the map or not, and nobody waits to learn which: the address is not used again. */
bool host_memory::is_open_end(const failure &failed) const noexcept
{
	return failed.code().value() == ETIMEDOUT && !addresses_.target().is_dead();
}

void host_memory::attach(int file)
{
	const std::uint64_t address =
		addresses_.take(size_, size_ >= LARGE ? LARGE : OAC_PAGE_SIZE);
	try {
		addresses_.target().dma_map(file, size_, address);
	} catch (const failure &failed) {
		if (!is_open_end(failed))
			addresses_.give(address);
		throw;
	} catch (...) {
		addresses_.give(address);
		throw;
	}
	address_ = address;
}

host_memory::host_memory(bus_addresses &addresses, std::size_t size)
	: addresses_(addresses), size_(size)
{
	unique_fd file(memfd_create("accel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (!file.is_open())
		throw_no_memory("memfd_create", size);
	if (size > INT64_MAX || ftruncate(file.get(), static_cast<off_t>(size)) != 0)
		throw_no_memory("ftruncate", size);
	/* So that the card's side may map it without fear of SIGBUS. */
	fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	memory_ = map_file(file.get(), size);
	madvise(memory_.data(), size, MADV_DONTFORK);
	prefer_node(memory_, addresses.target().numa_node());
	attach(file.get());
	keep(std::move(file));
}

host_memory::host_memory(bus_addresses &addresses, imported from)
	: addresses_(addresses), size_(size_of_import(from.file))
{
	unique_fd file(fcntl(from.file, F_DUPFD_CLOEXEC, 0));
	if (!file.is_open())
		throw failure(errno, "import: no descriptor: " + errno_text(errno));
	void *start = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
	if (start != MAP_FAILED) {
		memory_ = mapping(start, size_);
		madvise(start, size_, MADV_DONTFORK);
	}
	attach(file.get());
	keep(std::move(file));
}

host_memory::~host_memory()
{
	try {
		addresses_.target().dma_unmap(address_, size_);
		addresses_.give(address_);
	} catch (const failure &failed) {
		/* The card is gone, and its access with it. */
		if (!is_open_end(failed))
			addresses_.give(address_);
	} catch (const std::exception &) {
		/* The address stays taken. */
	}
	if (file_.is_open())
		kept_files.fetch_sub(1);
}

/* Memory needs no descriptor once it is mapped, only its export does: leave enough for others. */
void host_memory::keep(unique_fd file) noexcept
{
	static const unsigned most = most_kept_files();
	if (kept_files.fetch_add(1) < most)
		file_ = std::move(file);
	else
		kept_files.fetch_sub(1);
}

int host_memory::export_file() const
{
	if (!file_.is_open())
		throw failure(EMFILE, "accel_buffer_export: there were " +
					      std::to_string(kept_files.load()) +
					      " buffers when this one was made, too many to keep a "
					      "descriptor for each; raise the limit of open files "
					      "(ulimit -n)");
	const int file = fcntl(file_.get(), F_DUPFD_CLOEXEC, 0);
	if (file < 0)
		throw failure(errno, "accel_buffer_export: no descriptor: " + errno_text(errno));
	return file;
}

} // namespace accel::direct
