// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Measures benchmarks, pair by pair in turn: ours, floor, ours, floor. Within one figure of a pair the
// best of a few repetitions counts, because noise only adds time; over pairs the median does. Pairs
// in which other processes took more than 15 % of a core are dropped; with fewer than 5 clean pairs
// there is no verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "figure.hpp"

namespace bench
{

/* More of a core than this, taken by other processes, disturbs. */
constexpr double OTHERS_AT_MOST = 0.15;

struct effort {
	int pairs = 9;			/* wanted */
	int repetitions = 5;		/* of each figure in a pair */
	std::int64_t repetition_ns = 30'000'000;
	std::int64_t patience_ns = 15'000'000'000;	/* per benchmark, for a quiet machine */

	/* Proves that a benchmark runs; its figures mean nothing. */
	static effort quick() { return { 1, 1, 1'000'000, 0 }; }
	bool is_quick() const { return patience_ns == 0; }
};

/* One row of the report: a figure of ours over one floor. */
struct row {
	int goal_number = 0;
	std::string name, what, unit;
	double value = 0;		/* medians over clean pairs, or over all if there are too few */
	std::string floor_name;
	double floor = 0;
	double ratio = 0, ratio_min = 0, ratio_max = 0;
	double goal = 0, stretch = 0;
	bool is_at_least = false;
	std::optional<bool> met;	/* nothing: no goal, or no verdict */
	int clean_pairs = 0, dropped_pairs = 0;
	std::string note;		/* why there is no verdict, and what else is to be known */
};

/* A row per peer. What cannot be measured here gives rows with a note and no ratio. */
std::vector<row> measure(const benchmark &which, const effort &with);

} // namespace bench
