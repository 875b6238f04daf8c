// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What all handles of accel.hpp are made of: errors, timeouts, ownership. Programs include accel.hpp.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "accel.h"

namespace accel
{

/// Throws std::system_error for a negative C result, with the library's text of this thread.
[[noreturn]] inline void throw_error(int result)
{
	throw std::system_error(-result, std::generic_category(), ::accel_error_text());
}

/// Passes a count or 0 on; throws on a negative result.
inline int check(int result)
{
	if (result < 0)
		throw_error(result);
	return result;
}

/// How long a call may block: a chrono duration (below 0 counts as 0), or the finite default.
class timeout
{
public:
	constexpr timeout() noexcept = default;
	template <class Rep, class Period>
	constexpr timeout(std::chrono::duration<Rep, Period> length) noexcept : ns_(in_ns(length))
	{
	}

	static constexpr timeout infinite() noexcept
	{
		timeout t;
		t.ns_ = ACCEL_TIMEOUT_INFINITE;
		return t;
	}

	constexpr std::int64_t ns() const noexcept { return ns_; }

private:
	template <class Rep, class Period>
	static constexpr std::int64_t in_ns(std::chrono::duration<Rep, Period> length) noexcept
	{
		using seconds = std::chrono::duration<double>;

		if (length <= length.zero())
			return 0;
		if (seconds(length).count() >= 9e9)
			return ACCEL_TIMEOUT_INFINITE;
		return std::chrono::ceil<std::chrono::nanoseconds>(length).count();
	}

	std::int64_t ns_ = ACCEL_TIMEOUT_DEFAULT;
};

namespace detail
{

template <auto Close>
struct closer {
	template <class T>
	void operator()(T *handle) const noexcept
	{
		static_cast<void>(Close(handle));
	}
};

template <class T, auto Close>
using handle = std::unique_ptr<T, closer<Close>>;

/// Hands the object to a C close that can refuse; a refused one stays owned.
template <class Handle, class Close>
int close(Handle &owner, Close call) noexcept
{
	int result = call(owner.get());
	if (result == 0)
		static_cast<void>(owner.release());
	return result;
}

inline std::string_view text(const char *string) noexcept
{
	return string ? std::string_view(string) : std::string_view();
}

} // namespace detail

/// A file descriptor of its own: of exported memory, of a fence.
class descriptor
{
public:
	descriptor() noexcept = default;
	explicit descriptor(int adopted) noexcept : fd_(adopted) {}
	descriptor(descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	descriptor &operator=(descriptor &&other) noexcept
	{
		std::swap(fd_, other.fd_);
		return *this;
	}
	~descriptor()
	{
		if (fd_ >= 0)
			::close(fd_);
	}

	int get() const noexcept { return fd_; }
	/// For who takes it over.
	int release() noexcept { return std::exchange(fd_, -1); }

private:
	int fd_ = -1;
};

} // namespace accel
