// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl man: the manual page, made from the tree of commands and the catalogue of exit codes.
#include "verb.hpp"

#include <fmt/format.h>

#include "command_tree.hpp"

namespace accelctl
{

namespace
{

constexpr char HEAD[] = R"(.TH ACCELCTL 1 "" "accelctl {0}" "User Commands"
.SH NAME
accelctl \- bring up, watch and test inference accelerator cards
.SH SYNOPSIS
.B accelctl
.RI [ OPTIONS ]
.I VERB
.RI [ ARGUMENTS ]
.SH DESCRIPTION
One tool for the cards of this host, whether behind the kernel's driver, behind a socket or emulated.
Reading takes no privilege. In JSON every document names its schema, units are part of field names,
and a value that is not there is null with the reason beside it in
.IR field _reason.
)";

constexpr char TAIL[] = R"(.SH ENVIRONMENT
.TP
.B ACCEL_EMU
Number of emulated cards to use instead of real ones.
.TP
.B ACCEL_SOCKETS
Directory with the sockets of cards served by accel-emu.
.TP
.B ACCEL_FIRMWARE
Image to boot on a card that runs none.
.TP
.B ACCEL_HANG_MS
How long a queue of a card without the kernel's driver may stand still before the card is recovered:
100 to 600000, 2000 if not set.
.SH FILES
.TP
.I /lib/firmware/oac/oac1.fw
The default image.
)";

std::string escaped(const std::string &text)
{
	std::string out;

	for (const char c : text) {
		if (c == '\\')
			out += "\\e";
		else if (c == '-')
			out += "\\-";
		else
			out += c;
	}
	/* A dot or quote that begins a line would be a request. */
	return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

void add_option_entry(const CLI::Option &option, std::string &out)
{
	std::string names;

	for (const std::string &spelling : spellings_of(option))
		names += (names.empty() ? "" : ", ") + spelling;
	if (option.get_positional())
		names = option.get_type_name();
	else if (option.get_items_expected_max() > 0)
		names += " " + option.get_type_name();
	out += ".TP\n.B " + escaped(names) + "\n" + escaped(option.get_description()) + "\n";
}

void add_options(const CLI::App &app, std::string &out)
{
	for (const CLI::Option *option : positionals_of(app))
		add_option_entry(*option, out);
	for (const CLI::Option *option : options_of(app)) {
		if (!app.get_parent() || (spellings_of(*option).back() != "--help" &&
					  spellings_of(*option).back() != "--output"))
			add_option_entry(*option, out);
	}
}

void add_verbs(const CLI::App &app, std::string &out)
{
	for (const CLI::App *verb : verbs_of(app)) {
		if (!verbs_of(*verb).empty()) {
			add_verbs(*verb, out);
			continue;
		}
		out += fmt::format(".SS {}\n{}.\n", escaped(path_of(*verb)),
				   escaped(verb->get_description()));
		add_options(*verb, out);
		out += ".PP\nExamples:\n.PP\n.nf\n.RS\n";
		for (const std::string &line : examples_of(*verb))
			out += escaped(line) + "\n";
		out += ".RE\n.fi\n";
	}
}

std::string page(const CLI::App &app)
{
	std::string out = fmt::format(HEAD, OAC_VERSION);

	out += ".SH OPTIONS\nThese stand before or behind the verb.\n";
	add_options(app, out);
	out += ".SH VERBS\n";
	add_verbs(app, out);
	out += ".SH EXIT STATUS\n";
	for (const exit_code_entry &entry : exit_codes)
		out += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(entry.code),
				   escaped(entry.text));
	return out + TAIL;
}

} // namespace

void add_man(CLI::App &app, session &s)
{
	const auto run = [&app] {
		report out("man");
		out.text = page(app);
		return out;
	};
	add_verb(app, s,
		 { "man", "Print this program's manual page",
		   "man > accelctl.1\n"
		   "man | man -l -" },
		 run);
}

void add_version(CLI::App &app, session &s)
{
	const auto run = [] {
		report out("version");
		out.body["accelctl"] = OAC_VERSION;
		out.body["libaccel"] = accel_version();
		return out;
	};
	add_verb(app, s, { "version", "Show the versions of program and library", "version" }, run);
}

} // namespace accelctl
