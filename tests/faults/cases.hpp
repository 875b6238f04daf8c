// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The rows of the table of faults (docs/faults.md): each fault of the emulator's catalogue, once for
// each value of its parameters that makes another story, and how a program meets it.
#pragma once

#include <ostream>
#include <span>

namespace faults
{

/* What is done beside the verified load, so that the card comes to the fault. */
enum class meet {
	load,	   /* nothing */
	sleep,	   /* the load sleeps until an interrupt comes */
	admin,	   /* the card is asked for its sensors, again and again */
	boot,	   /* its firmware crashes, so that it boots */
	map,	   /* memory is mapped and unmapped */
	self_test, /* the self-test runs */
};

/* Whether somebody must be told. */
enum class told {
	no,	/* the load goes on: whatever is noticed is noticed in time */
	always, /* an event, or the error of a completion */
	kernel, /* by the kernel's driver only: the library's own does not look there */
};

struct fault_case {
	const char *name; /* of the row */
	const char *fault; /* members of the request */
	meet by;
	told must_be;
	const char *health = ""; /* the reason it shows for as long as the fault holds */
	bool may_be_wrong = false; /* answers, until the self-test */
};

inline std::ostream &operator<<(std::ostream &to, const fault_case &one)
{
	return to << one.name;
}

std::span<const fault_case> all_cases();

} // namespace faults
