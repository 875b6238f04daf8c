// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How long a card of this process is of no use after it was seen to hang: from the event that says so
// to the next completed command of a program that does what the library tells it to. By each rung of
// the ladder that is reached without a power switch.
#pragma once

#include <string>
#include <vector>

namespace bench
{

struct recovery_round {
	double ms = 0;
	bool is_clean = false;	/* other processes left the cores alone */
};

struct recovery_result {
	std::string rung;	/* the one that helped: "soft_reset" */
	std::vector<recovery_round> rounds;
};

/* Throws std::runtime_error: a round ended by another rung, or not at all. */
std::vector<recovery_result> measure_recovery(int rounds);
/* {"recoveries": [{rung, rounds: [{ms, is_clean}]}]} to standard output. */
void print_recovery(const std::vector<recovery_result> &results);

} // namespace bench
