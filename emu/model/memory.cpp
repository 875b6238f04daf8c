// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See memory.hpp.
#include "memory.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace oac::emu
{

namespace
{

/* Below it zeroes cost less than new pages. */
constexpr std::uint64_t HOLE_MIN = std::uint64_t{ 1 } << 20;

[[noreturn]] void throw_errno(int fd, const char *what)
{
	const int error = errno;

	if (fd >= 0)
		close(fd);
	throw std::system_error(error, std::generic_category(), what);
}

} // namespace

memory::memory(const char *name, std::uint64_t size) : fd_(-1), size_(size), data_(nullptr)
{
	fd_ = memfd_create(name, MFD_CLOEXEC);
	if (fd_ < 0)
		throw_errno(fd_, "memfd_create");
	if (ftruncate(fd_, static_cast<off_t>(size)))
		throw_errno(fd_, "ftruncate");
	void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
	if (at == MAP_FAILED)
		throw_errno(fd_, "mmap");
	data_ = static_cast<std::byte *>(at);
}

memory::~memory()
{
	munmap(data_, size_);
	close(fd_);
}

void memory::scrub(std::uint64_t offset, std::uint64_t length)
{
	if (length < HOLE_MIN || fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					   static_cast<off_t>(offset), static_cast<off_t>(length)))
		std::memset(data_ + offset, 0, length);
}

} // namespace oac::emu
