// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events of cards as they come, one line each.
#pragma once

#include <cstdint>

#include "card.hpp"

namespace accelctl
{

struct follow_options {
	std::uint64_t from = 1;
	unsigned max = 0;	/* of all cards together; 0: without end */
	bool is_json = false;
};

/// Prints until interrupted, max is reached, or all cards are gone.
void follow_events(card_set &cards, report &into, const follow_options &how);

/// Those that are kept now: appends them to row["events"].
void read_stream(card &of, tree &row, std::uint64_t from, unsigned max);

} // namespace accelctl
