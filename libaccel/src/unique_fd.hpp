// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The two low-level handles of the library: a file descriptor and a memory mapping, each closed by
// its owner's destructor.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

namespace accel
{

class unique_fd
{
public:
	unique_fd() noexcept = default;
	explicit unique_fd(int fd) noexcept : fd_(fd) {}
	unique_fd(unique_fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	unique_fd &operator=(unique_fd &&other) noexcept
	{
		std::swap(fd_, other.fd_);
		return *this;
	}
	~unique_fd()
	{
		if (fd_ >= 0)
			close(fd_);
	}
	int get() const noexcept { return fd_; }
	bool is_open() const noexcept { return fd_ >= 0; }

private:
	int fd_ = -1;
};

class mapping
{
public:
	mapping() noexcept = default;
	mapping(void *start, std::size_t size) noexcept : start_(start), size_(size) {}
	mapping(mapping &&other) noexcept
		: start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0))
	{
	}
	mapping &operator=(mapping &&other) noexcept
	{
		std::swap(start_, other.start_);
		std::swap(size_, other.size_);
		return *this;
	}
	~mapping()
	{
		if (start_)
			munmap(start_, size_);
	}
	std::byte *data() const noexcept { return static_cast<std::byte *>(start_); }
	std::size_t size() const noexcept { return size_; }

private:
	void *start_ = nullptr;
	std::size_t size_ = 0;
};

} // namespace accel
