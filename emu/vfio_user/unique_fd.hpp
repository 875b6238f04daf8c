// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A file descriptor with one owner, closed at the end of its life.
#pragma once

#include <unistd.h>

#include <utility>

namespace oac::vfio_user
{

class unique_fd
{
public:
	unique_fd() = default;
	explicit unique_fd(int fd) : fd_(fd) {}
	~unique_fd() { reset(); }
	unique_fd(unique_fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	unique_fd &operator=(unique_fd &&other) noexcept
	{
		if (this != &other)
			reset(std::exchange(other.fd_, -1));
		return *this;
	}

	int get() const { return fd_; }
	bool is_open() const { return fd_ >= 0; }
	int release() { return std::exchange(fd_, -1); }
	void reset(int fd = -1)
	{
		if (fd_ >= 0)
			::close(fd_);
		fd_ = fd;
	}

private:
	int fd_ = -1;
};

} // namespace oac::vfio_user
