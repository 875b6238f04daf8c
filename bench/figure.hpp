// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What there is to measure. A figure is one number; a benchmark is a figure of ours and the floors
// and peers it is divided by; each division has a goal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bench
{

enum class unit {
	ns,		/* time per operation */
	us,
	ms,
	gigabytes,	/* GB/s */
	millions,	/* million operations per second */
	share,		/* 0..1 */
};
const char *unit_text(unit of);
/* More is better. */
bool is_rate(unit of);

/* Does n operations. Owns what it needs for that: gone with it. */
using body = std::function<void(long n)>;

struct figure {
	std::string name;
	unit of = unit::ns;
	/* Sets up; slow. Throws. */
	std::function<body()> make;
	/* Of an operation, for GB/s. */
	double bytes = 0;
	/* Instead of make: what it returns gives one value, in so many ns or a little more. */
	std::function<std::function<double(std::int64_t budget_ns)>()> make_value;
	/* Cannot be measured on one core. */
	bool needs_two_cores = false;
};

/* What a figure of ours is divided by. at most for times, at least for rates. */
struct peer {
	figure floor;
	double goal = 0;	/* of the ratio; 0: none, printed for comparison */
	double stretch = 0;
};

/* Two figures whose ratio must be so in the same pair, or the pair says nothing. */
struct control {
	figure over;
	figure under;
	double at_least;
};

struct benchmark {
	int goal = 0;		/* its number in the list of goals */
	figure ours;
	std::string what;
	std::vector<peer> peers;
	std::optional<control> valid_if;
	std::string note;
};

/* Every benchmark there is, in the order of its goals. */
std::vector<benchmark> all_benchmarks();
/* Those that are only counted (instructions, system calls), by a tool from outside. */
std::vector<benchmark> counted_only();

} // namespace bench
