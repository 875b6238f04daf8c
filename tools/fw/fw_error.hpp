// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the firmware tools throw at their user: a sentence and the errno that classifies it
// (EBADMSG: the content is wrong; else what the system said about a file).
#pragma once

#include <stdexcept>
#include <string>

namespace oac::fw
{

class error : public std::runtime_error
{
public:
	error(int code, const std::string &text) : std::runtime_error(text), code_(code) {}

	/// A positive errno value.
	int code() const noexcept { return code_; }

private:
	int code_;
};

} // namespace oac::fw
