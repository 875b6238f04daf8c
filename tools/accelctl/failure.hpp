// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What went wrong, in the one form that stderr ("accelctl: what: why; what to do") and JSON show,
// with the exit code that goes with it.
#pragma once

#include <exception>
#include <string>

#include <nlohmann/json.hpp>

#include "exit_code.hpp"

namespace accelctl
{

class failure : public std::exception
{
public:
	failure(exit_code code, std::string what, std::string why, std::string action = {});

	const char *what() const noexcept override { return line_.c_str(); }
	exit_code code() const { return code_; }
	const std::string &why() const { return why_; }
	/// The same failure with another meaning for the caller.
	failure with_code(exit_code code) const { return failure(code, what_, why_, action_); }
	/// The card that failed, if it was one.
	void set_device(const std::string &device) { device_ = device; }
	nlohmann::ordered_json json() const;

private:
	exit_code code_;
	std::string device_, what_, why_, action_, line_;
};

/// Of a libaccel call that returned error (negative) in this thread.
failure library_failure(int error, const std::string &what);
/// The same with the text that accel_error_text() gave then.
failure library_failure(int error, const std::string &what, const std::string &text);

/// The exit code for a positive errno value.
exit_code exit_code_of(int error);

} // namespace accelctl
