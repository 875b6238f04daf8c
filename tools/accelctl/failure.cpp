// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What went wrong: texts come from where the failure was found (accel_error_text()), codes from errno.
#include "failure.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <accel/accel.h>

namespace accelctl
{

failure::failure(exit_code code, std::string what, std::string why, std::string action)
	: code_(code), what_(std::move(what)), why_(std::move(why)), action_(std::move(action))
{
	line_ = what_ + ": " + why_ + (action_.empty() ? "" : "; " + action_);
}

nlohmann::ordered_json failure::json() const
{
	nlohmann::ordered_json out;

	if (!device_.empty())
		out["device"] = device_;
	out["code"] = exit_code_name(code_);
	out["exit_code"] = static_cast<int>(code_);
	out["what"] = what_;
	out["why"] = why_;
	if (!action_.empty())
		out["action"] = action_;
	return out;
}

exit_code exit_code_of(int error)
{
	switch (error) {
	case EINVAL:
	case EEXIST:
		return exit_code::usage;
	case ENOENT:
		return exit_code::not_found;
	case EACCES:
	case EPERM:
		return exit_code::permission;
	case EBADMSG:
	case EFBIG:
	case EHOSTDOWN:
	case EIO:
		return exit_code::check_failed;
	case EBUSY:
	case ENODATA:
	case EOPNOTSUPP:
	case ENOSPC:
		return exit_code::skipped;
	case ETIMEDOUT:
		return exit_code::timeout;
	case ENODEV:
	case ESTALE:
		return exit_code::lost;
	case EPROTO:
		return exit_code::version;
	}
	return exit_code::internal;
}

/* libaccel's texts have the same form: "object: what is wrong; what to do". */
failure library_failure(int error, const std::string &what)
{
	return library_failure(error, what, accel_error_text());
}

failure library_failure(int error, const std::string &what, const std::string &text)
{
	const std::size_t colon = text.find(": ");
	const std::size_t semicolon = text.rfind("; ");

	if (colon == std::string::npos)
		return failure(exit_code_of(-error), what,
			       text.empty() ? std::strerror(-error) : text);
	const bool has_action = semicolon != std::string::npos && semicolon > colon;
	return failure(exit_code_of(-error), text.substr(0, colon),
		       text.substr(colon + 2,
				   has_action ? semicolon - colon - 2 : std::string::npos),
		       has_action ? text.substr(semicolon + 2) : "");
}

} // namespace accelctl
