// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The verbs: each adds itself to the tree of commands, with its options and examples, and says
// what to run. Help, man page and shell completion are made from that tree and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "card.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace accelctl
{

/// One run of the program: what the parser found out.
struct session {
	settings set;
	std::string verb_name;		/* "fw-load": for the schema */
	std::function<report()> run;	/* nothing until a verb was parsed */
};

struct verb_text {
	const char *name;
	const char *description;
	const char *examples;	/* one a line, without "accelctl " */
};

/// Adds a verb that calls run when chosen.
CLI::App *add_verb(CLI::App &parent, session &s, const verb_text &text,
		   std::function<report()> run);

/// -d and --all, for verbs that work on cards.
void add_selection(CLI::App &verb, session &s);

/// -o, on every level: it may stand before or behind the verb.
void add_output_option(CLI::App &app, session &s);

/// --watch SECONDS.
void add_watch(CLI::App &verb, session &s);

/// --timeout SECONDS; *timeout_ns starts as ACCEL_TIMEOUT_DEFAULT.
void add_timeout(CLI::App &verb, std::int64_t &timeout_ns);

void add_list(CLI::App &app, session &s);
void add_info(CLI::App &app, session &s);
void add_status(CLI::App &app, session &s);
void add_clients(CLI::App &app, session &s);
void add_events(CLI::App &app, session &s);
void add_health(CLI::App &app, session &s);
void add_reset(CLI::App &app, session &s);
void add_recover(CLI::App &app, session &s);
void add_self_test(CLI::App &app, session &s);
void add_copy_test(CLI::App &app, session &s);
void add_debug(CLI::App &app, session &s);
void add_emu(CLI::App &app, session &s);
void add_fw(CLI::App &app, session &s);
void add_fw_load(CLI::App &fw, session &s);
void add_fw_files(CLI::App &fw, session &s);
void add_completion(CLI::App &app, session &s);
void add_man(CLI::App &app, session &s);
void add_version(CLI::App &app, session &s);

} // namespace accelctl
