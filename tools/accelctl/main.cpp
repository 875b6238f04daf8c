// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl: parses, runs one verb, prints its report, and returns its exit code. Results go to
// stdout, errors to stderr as "accelctl: what: why; what to do", and into the JSON as well.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include <unistd.h>

#include <fmt/format.h>

#include "interruption.hpp"
#include "printer.hpp"
#include "verb.hpp"

namespace accelctl
{

namespace
{

std::string root_footer()
{
	std::string out = "\nExamples:\n"
			  "  accelctl list\n"
			  "  accelctl status --watch 2\n"
			  "  ACCEL_EMU=2 accelctl copy-test --all\n"
			  "\nExit codes:";

	for (const exit_code_entry &entry : exit_codes)
		out += fmt::format("\n  {:2}  {}", static_cast<int>(entry.code), entry.text);
	return out;
}

void add_all(CLI::App &app, session &s)
{
	app.require_subcommand(1);
	app.footer(root_footer());
	add_output_option(app, s);
	add_list(app, s);
	add_info(app, s);
	add_status(app, s);
	add_health(app, s);
	add_clients(app, s);
	add_events(app, s);
	add_reset(app, s);
	add_recover(app, s);
	add_self_test(app, s);
	add_copy_test(app, s);
	add_fw(app, s);
	add_debug(app, s);
	add_emu(app, s);
	add_completion(app, s);
	add_man(app, s);
	add_version(app, s);
}

/* A write that fails is a failure: a full disk must not look like success. */
exit_code print(const report &out, const settings &set)
{
	std::string text;

	if (out.is_printed)
		text.clear();
	else if (set.output == "json" && set.watch_seconds == 0)
		text = json_text(out.json(), 8);
	else if (set.output != "table")
		text = json_text(out.json(), -1);
	else
		text = out.text.empty() ? table_text(out.body) : out.text;

	const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
	const bool is_flushed = std::fflush(stdout) == 0;
	for (const failure &error : out.errors)
		fmt::print(stderr, "accelctl: {}\n", error.what());
	if (is_written && is_flushed)
		return out.code();
	fmt::print(stderr, "accelctl: stdout: {}; the output is not complete\n",
		   std::strerror(errno));
	return exit_code::internal;
}

report run_verb(const session &s)
{
	try {
		return s.run();
	} catch (const failure &e) {
		report out(s.verb_name);
		out.errors.push_back(e);
		return out;
	} catch (const std::exception &e) {
		report out(s.verb_name);
		out.errors.emplace_back(exit_code::internal, s.verb_name, e.what());
		return out;
	}
}

exit_code run(const session &s)
{
	if (s.set.watch_seconds == 0)
		return print(run_verb(s), s.set);

	const auto interval = std::chrono::duration_cast<std::chrono::nanoseconds>(
		std::chrono::duration<double>(s.set.watch_seconds));
	const bool is_screen = isatty(STDOUT_FILENO) && s.set.output == "table";
	exit_code code = exit_code::ok;
	const interruption stop;
	do {
		const report out = run_verb(s);
		std::fputs(is_screen ? "\033[H\033[J" : "", stdout);
		code = print(out, s.set);
		if (code == exit_code::internal || code == exit_code::not_found)
			break;
	} while (!stop.comes_within(interval));
	return code;
}

/* The parser stopped at an error: did the user ask for JSON anywhere? */
std::string output_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const std::string word = argv[i];
		for (const char *form : { "json", "ndjson" }) {
			const bool is_next = (word == "-o" || word == "--output") && i + 1 < argc &&
					     std::strcmp(argv[i + 1], form) == 0;
			if (is_next || word == std::string("-o") + form ||
			    word == std::string("--output=") + form)
				return form;
		}
	}
	return "table";
}

exit_code usage_error(const CLI::ParseError &e, const CLI::App &app, const settings &set)
{
	const CLI::App *verb = &app;
	std::string command = "accelctl", name;

	while (!verb->get_subcommands().empty()) {
		verb = verb->get_subcommands().front();
		name += (name.empty() ? "" : "-") + verb->get_name();
		command += " " + verb->get_name();
	}
	report out(name.empty() ? "usage" : name);
	const std::vector<std::string> unknown = verb->remaining();
	const bool has_verbs =
		!verb->get_subcommands([](const CLI::App *) { return true; }).empty();
	const std::string why = has_verbs && !unknown.empty() ? unknown.front() + " is not known" :
								std::string(e.what());
	out.errors.emplace_back(exit_code::usage, "command line", why,
				"see " + command + " --help");
	return print(out, set);
}

exit_code run_program(int argc, char **argv)
{
	CLI::App app("Bring up, watch and test inference accelerator cards", "accelctl");
	session s;

	add_all(app, s);
	try {
		app.parse(argc, argv);
	} catch (const CLI::Success &e) {
		app.exit(e);	/* help */
		return std::fflush(stdout) == 0 ? exit_code::ok : exit_code::internal;
	} catch (const CLI::ParseError &e) {
		s.set.output = output_wanted(argc, argv);
		s.set.watch_seconds = 0;
		return usage_error(e, app, s.set);
	}
	return run(s);
}

} // namespace

} // namespace accelctl

int main(int argc, char **argv)
{
	try {
		return static_cast<int>(accelctl::run_program(argc, argv));
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accelctl: %s\n", e.what());
		return static_cast<int>(accelctl::exit_code::internal);
	}
}
