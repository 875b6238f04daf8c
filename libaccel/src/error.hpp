// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Errors inside the library: a failure carries the -Exxx that the C ABI returns and the text that
// accel_error_text() gives. guard() is the one place where exceptions become numbers.
#pragma once

#include <cerrno>
#include <new>
#include <string>
#include <system_error>

#include <pthread.h>

namespace accel
{

/* Text form: "object: what is wrong; what to do". code is a positive errno. */
class failure : public std::system_error
{
public:
	failure(int code, std::string text)
		: std::system_error(code, std::generic_category()), text_(std::move(text))
	{
	}
	const char *what() const noexcept override { return text_.c_str(); }

private:
	std::string text_;
};

/* The thread's error record; both cut the text rather than fail. */
void error_record(const char *text) noexcept;
/* These return -code, so that "return error_literal(EINVAL, ...)" reads well. */
int error_record(int code, const char *object, const char *text) noexcept;
/* text lives for ever: kept by address, cheap enough for the data path. */
int error_literal(int code, const char *text) noexcept;
const char *error_recorded() noexcept;

/* For ESTALE: a literal, since the data path gives it, too. */
constexpr const char *STALE_TEXT =
	"the card was reset, and this context with all in it is lost; destroy it and what was made in "
	"it, then make it anew (accel_context_lost() says whether it was the cause)";

/* Name of an errno value for texts: "Permission denied". */
std::string errno_text(int code);

/* While it lives, pthread_cancel() of this thread has to wait. For all that may block. */
class no_cancel
{
public:
	no_cancel() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
	no_cancel(const no_cancel &) = delete;
	no_cancel &operator=(const no_cancel &) = delete;
	~no_cancel() { pthread_setcancelstate(before_, nullptr); }

private:
	int before_ = PTHREAD_CANCEL_ENABLE;
};

/* Runs body, which returns 0 or more, or -Exxx with its text recorded, or throws. */
template <typename Body>
int guard(Body &&body) noexcept
{
	const no_cancel whole;
	try {
		return body();
	} catch (const std::bad_alloc &) {
		error_record("the host is out of memory; free some and try again");
		return -ENOMEM;
	} catch (const std::system_error &error) {
		error_record(error.what());
		return error.code().value() > 0 ? -error.code().value() : -EIO;
	} catch (const std::exception &error) {
		error_record(error.what());
		return -EIO;
	}
}

} // namespace accel
