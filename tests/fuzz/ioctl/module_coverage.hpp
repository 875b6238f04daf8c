// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What this thread's calls run of the module, by the kernel's KCOV, as counters that steer libFuzzer.
// Only the module is compiled for it. What its workers and interrupts do is not seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace oac::fuzz
{

class module_coverage
{
public:
	/* Ends the program where there is no KCOV (77) or the module is not loaded (1). */
	module_coverage();
	module_coverage(const module_coverage &) = delete;
	module_coverage &operator=(const module_coverage &) = delete;

	void start();
	/* What ran since start() is in libFuzzer's counters. */
	void stop();

	std::size_t places() const { return places_.size(); }
	/* Of the module's functions whose names begin like this: those of which nothing ran. */
	std::vector<std::string> not_reached(const std::string &beginning) const;
	/* How many of the module's functions ran, and how many there are. */
	std::size_t functions_reached() const;
	std::size_t functions() const { return names_.size(); }

private:
	struct place {
		std::size_t counter;
		std::uint64_t function;		/* its address */
	};

	void read_symbols();
	void open_trace();
	const place *find(std::uint64_t pc);

	int fd_ = -1;
	std::uint64_t *trace_ = nullptr;	/* the kernel's: a count, and so many addresses */
	std::uint64_t slide_ = 0;		/* KCOV takes it off all addresses, the module's too */
	std::map<std::uint64_t, std::string> names_;	/* by address */
	std::uint64_t end_ = 0;			/* of the module's code */
	std::unordered_map<std::uint64_t, place> places_;
};

} // namespace oac::fuzz
