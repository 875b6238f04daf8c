// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accel-bench: the command line.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cards.hpp"
#include "harness.hpp"
#include "machine.hpp"
#include "recovery.hpp"
#include "report.hpp"

/* What tools that count are told to look at: set-up is outside. */
extern "C" [[gnu::noinline]] void accel_bench_counted(const bench::body &run, long n)
{
	run(n);
	/* Not a tail call: the function must be there until the end. */
	asm volatile("" : : : "memory");
}

namespace
{

const char EXAMPLES[] =
	"Examples:\n"
	"  accel-bench                              every figure over its floor, some minutes\n"
	"  accel-bench --only noop_polled,copy      names that begin so\n"
	"  accel-bench --quick --only noop --json - what it can do, in a second; no verdicts\n"
	"  valgrind --tool=callgrind --toggle-collect=accel_bench_counted \\\n"
	"    accel-bench --count noop_inline_batch1 --ops 3000\n"
	"  accel-bench --recovery 50                 from a hang that is seen to the next completion\n"
	"  strace -f -c accel-bench --count noop_waited_batch32 --ops 3200 --card socket:PATH\n"
	"\n"
	"A ratio is the median over pairs (ours, floor) taken in turn; pairs that other processes\n"
	"disturbed are dropped, and with fewer than 5 left there is no verdict. Nothing is a failure:\n"
	"exit codes are 0 done, 1 a figure could not be measured, 2 wrong usage.";

struct options {
	bool does_list = false;
	bool is_quick = false;
	std::vector<std::string> only;
	std::string json;
	std::string count;
	long ops = 1000;
	std::string card;
	std::string server;
	int pairs = 0;
	int recovery_rounds = 0;
};

bool is_wanted(const std::string &name, const std::vector<std::string> &only)
{
	return only.empty() || std::ranges::any_of(only, [&](const std::string &prefix) {
		       return name.starts_with(prefix);
	       });
}

void list()
{
	for (const auto &each : bench::all_benchmarks())
		for (const auto &over : each.peers)
			std::printf("%-28s / %-28s %s\n", each.ours.name.c_str(),
				    over.floor.name.c_str(), each.what.c_str());
	for (const auto &each : bench::counted_only())
		std::printf("%-28s   %-28s %s\n", each.ours.name.c_str(), "--count",
			    each.what.c_str());
}

int count(const options &with)
{
	for (const auto &each : bench::counted_only()) {
		if (each.ours.name != with.count)
			continue;
		bench::pin(0, bench::HOST);
		accel_bench_counted(each.ours.make(), with.ops);
		return 0;
	}
	std::fprintf(stderr, "accel-bench: nothing called '%s' can be counted; see --list\n",
		     with.count.c_str());
	return 2;
}

int run(const options &with)
{
	bench::effort effort = with.is_quick ? bench::effort::quick() : bench::effort{};
	if (with.pairs)
		effort.pairs = with.pairs;
	std::vector<bench::row> rows;
	bool is_complete = true;
	if (with.json != "-")
		bench::print_heading();
	for (const auto &each : bench::all_benchmarks()) {
		if (!is_wanted(each.ours.name, with.only))
			continue;
		for (const auto &row : bench::measure(each, effort)) {
			if (with.json != "-")
				bench::print_row(row);
			is_complete &= row.value != 0;
			rows.push_back(row);
		}
	}
	if (rows.empty()) {
		std::fprintf(stderr, "accel-bench: no figure's name begins so; see --list\n");
		return 2;
	}
	if (!with.json.empty())
		bench::write_json(with.json, rows);
	return is_complete ? 0 : 1;
}

void add_options(CLI::App &app, options &with)
{
	app.footer(EXAMPLES);
	app.add_flag("--list", with.does_list, "Name the figures");
	app.add_option("--only", with.only, "Figures whose names begin so")->delimiter(',');
	app.add_flag("--quick", with.is_quick, "One short pair each: no verdicts");
	app.add_option("--pairs", with.pairs, "Clean pairs wanted per figure (9)")
		->check(CLI::Range(1, 1000));
	app.add_option("--json", with.json, "Write the rows to a file; -: to standard output");
	app.add_option("--count", with.count,
		       "Run one figure's operations and nothing else, under a tool that counts");
	app.add_option("--ops", with.ops, "How many operations")
		->check(CLI::Range(1l, 1l << 40))
		->capture_default_str();
	app.add_option("--card", with.card, "With --count: the card (emu:0)");
	app.add_option("--recovery", with.recovery_rounds,
		       "Hang a card so many times per rung, and time its way back; JSON")
		->check(CLI::Range(1, 10000));
	app.add_option("--server", with.server, "The accel-emu program that serves cards");
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app("What libaccel costs, each figure over a floor measured in the same run",
		     "accel-bench");
	options with;
	add_options(app, with);
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		return app.exit(e) ? 2 : 0;
	}
	bench::cores();
	if (!with.server.empty())
		bench::choose_server(with.server);
	bench::choose_card(with.card);
	try {
		if (with.does_list) {
			list();
			return 0;
		}
		if (with.recovery_rounds) {
			bench::print_recovery(bench::measure_recovery(with.recovery_rounds));
			return 0;
		}
		return with.count.empty() ? run(with) : count(with);
	} catch (const std::exception &error) {
		std::fprintf(stderr, "accel-bench: %s\n", error.what());
		return 1;
	}
}
