// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The exit codes of accelctl: one catalogue, which help, man page and tests print and use.
#pragma once

#include <span>

namespace accelctl
{

/* X(name, number, text). The numbers are for ever. */
#define ACCELCTL_EXIT_CODES(X) \
	X(ok, 0, "everything asked for was done") \
	X(internal, 1, "an unexpected failure, of this program or of the system") \
	X(usage, 2, "the command line or an environment variable is wrong") \
	X(not_found, 3, "there is no such card or file, or no card at all") \
	X(permission, 4, "the right to do this is missing") \
	X(partial, 5, "some of the cards failed, others did not") \
	X(check_failed, 6, "a check failed: data, image, manifest or health") \
	X(skipped, 7, "something was skipped, is busy or is not supported") \
	X(timeout, 8, "no answer in time") \
	X(lost, 9, "the card was lost on the way") \
	X(version, 10, "a protocol version does not match")

enum class exit_code {
#define X(name, number, text) name = number,
	ACCELCTL_EXIT_CODES(X)
#undef X
};

struct exit_code_entry {
	exit_code code;
	const char *name;
	const char *text;
};

inline constexpr exit_code_entry exit_codes[] = {
#define X(name, number, text) { exit_code::name, #name, text },
	ACCELCTL_EXIT_CODES(X)
#undef X
};

constexpr const char *exit_code_name(exit_code code)
{
	return exit_codes[static_cast<int>(code)].name;
}

} // namespace accelctl
