// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What all verbs have in common on the command line.
#include "verb.hpp"

#include <sstream>
#include <utility>

namespace accelctl
{

namespace
{

std::string schema_name(const CLI::App &verb)
{
	const CLI::App *const parent = verb.get_parent();
	const bool is_top = !parent || !parent->get_parent();

	return (is_top ? "" : schema_name(*parent) + "-") + verb.get_name();
}

std::string examples_footer(const char *examples)
{
	std::istringstream lines(examples);
	std::string line, out = "\nExamples:";

	while (std::getline(lines, line))
		out += "\n  accelctl " + line;
	return out;
}

} // namespace

CLI::App *add_verb(CLI::App &parent, session &s, const verb_text &text, std::function<report()> run)
{
	CLI::App *const verb = parent.add_subcommand(text.name, text.description);

	verb->footer(examples_footer(text.examples));
	add_output_option(*verb, s);
	verb->final_callback([&s, verb, run = std::move(run)] {
		s.verb_name = schema_name(*verb);
		s.run = run;
	});
	return verb;
}

void add_selection(CLI::App &verb, session &s)
{
	CLI::Option *const device =
		verb.add_option("-d,--device", s.set.devices,
				"A card, by serial number, PCI address, /dev/accel/accelN, emu:N, "
				"socket:PATH or index; may be given several times")
			->type_name("ID")
			->allow_extra_args(false);
	verb.add_flag("--all", s.set.all, "All cards")->excludes(device);
}

void add_output_option(CLI::App &app, session &s)
{
	app.add_option(
		   "-o,--output", s.set.output,
		   "Form of the output: table for people, json for programs, ndjson for json on "
		   "one line")
		->check(CLI::IsMember({ "table", "json", "ndjson" }))
		->type_name("FORM");
}

void add_watch(CLI::App &verb, session &s)
{
	verb.add_option(
		    "--watch", s.set.watch_seconds,
		    "Look again every so many seconds, until interrupted; with -o json each look "
		    "is one line")
		->check(CLI::Range(0.01, 86400.0).description(""))
		->type_name("SECONDS");
}

void add_timeout(CLI::App &verb, std::int64_t &timeout_ns)
{
	const auto set = [&timeout_ns](double seconds) {
		timeout_ns = static_cast<std::int64_t>(seconds * 1e9);
	};
	verb.add_option_function<double>("--timeout", set, "Longest wait for a card (30)")
		->check(CLI::Range(0.0, 86400.0).description(""))
		->type_name("SECONDS");
}

} // namespace accelctl
