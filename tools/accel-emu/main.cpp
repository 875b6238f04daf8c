// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accel-emu: the command line. What it does is in serve.cpp.
#include <cstdio>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include <vfio_user/log.hpp>

#include "ctl.hpp"
#include "serve.hpp"

using oac::vfio_user::log_level;

static const char EXAMPLES[] =
	"Examples:\n"
	"  Six cards for programs that use libaccel (see ACCEL_EMU in accel(7)):\n"
	"    accel-emu serve --dir /run/user/1000/oac --cards 6\n"
	"\n"
	"  One card for QEMU >= 11.1; a guest's doorbells must be trapped:\n"
	"    accel-emu serve --dir /tmp/oac --cards 1 --doorbells trapped\n"
	"    qemu-system-x86_64 -machine q35,memory-backend=m0 -m 1G \\\n"
	"      -object memory-backend-memfd,id=m0,size=1G,share=on \\\n"
	"      -device pcie-root-port,id=rp0,chassis=1,slot=1,x-speed=5 \\\n"
	"      -device '{\"driver\":\"vfio-user-pci\",\"bus\":\"rp0\",\"x-msg-timeout\":60000,\n"
	"                \"socket\":{\"path\":\"/tmp/oac/card0.sock\",\"type\":\"unix\"}}' ...\n"
	"\n"
	"  A card that trusts another key and has nothing in its flash:\n"
	"    accel-emu serve --dir /tmp/oac --flash none --trust release.pub\n"
	"\n"
	"Exit codes: 0 ended by SIGINT or SIGTERM; 1 internal error; 2 wrong usage, unusable file;\n"
	"3 a socket cannot be made, or another server is live on it.";

static std::string check_power_of_two(const std::string &text)
{
	try {
		const unsigned long long value = std::stoull(text);
		if (value && !(value & (value - 1)))
			return {};
	} catch (const std::exception &) {
	}
	return "'" + text + "' is not a power of two";
}

static void add_serve(CLI::App &app, serve_options &o, log_level &level)
{
	CLI::App *serve_command = app.add_subcommand(
		"serve",
		"Serve cards on DIR/card0.sock, DIR/card1.sock ... until SIGINT or SIGTERM");
	serve_command->footer(EXAMPLES);
	serve_command->add_option("--dir", o.dir, "Directory of the sockets; made if need be")
		->required();
	serve_command->add_option("--cards", o.cards, "Number of cards")
		->check(CLI::Range(1, 64))
		->capture_default_str();
	serve_command->add_option("--lmem-mib", o.lmem_mib, "Local memory of each card, MiB")
		->check(CLI::Range(1, 65536) & CLI::Validator(check_power_of_two, "POWER OF TWO"))
		->capture_default_str();
	serve_command
		->add_option("--vectors", o.vectors,
			     "MSI-X vectors of each card; with fewer than queues they share one")
		->check(CLI::Range(1U, oac::emu::VECTORS_MAX))
		->capture_default_str();
	serve_command
		->add_option_function<std::string>(
			"--doorbells",
			[&o](const std::string &kind) { o.shared_doorbells = kind == "shared"; },
			"shared: memory that the card looks at; trapped: a message each, as QEMU needs")
		->check(CLI::IsMember({ "shared", "trapped" }))
		->default_str("shared");
	serve_command->add_flag_callback(
		"--no-user-submission", [&o] { o.user_submission = false; },
		"Do not promise that doorbell pages are apart: a driver then gives none to a process");
	serve_command
		->add_option(
			"--flash", o.flash,
			"Firmware in the flash: a file, none, or default (the development firmware)")
		->capture_default_str();
	serve_command
		->add_option("--trust", o.trust,
			     "Key the firmware must be signed with: a file of 32 raw bytes "
			     "(development key if not given)")
		->type_name("KEYFILE");
	auto *poll =
		serve_command
			->add_option(
				"--poll-us", o.poll_us,
				"Look at shared doorbells for so many microseconds before sleeping; "
				"20, but 0 when there are as many cards as cores")
			->check(CLI::Range(0, 1000000));
	poll->each([&o](const std::string &) { o.has_poll_us = true; });
	serve_command
		->add_option("--serial-base", o.serial_base,
			     "Serial number of card 0; the next ones follow")
		->default_str("0x0ac1000000000001");
	serve_command
		->add_option("--scenario", o.scenario,
			     "What is to go wrong and when: a YAML file, see docs/emulator.md")
		->type_name("FILE");
	static const std::map<std::string, log_level> LEVELS{ { "error", log_level::error },
							      { "warning", log_level::warning },
							      { "info", log_level::info },
							      { "debug", log_level::debug } };
	serve_command
		->add_option_function<std::string>(
			"--log-level",
			[&level](const std::string &name) { level = LEVELS.at(name); },
			"What is told on stderr; at most ten lines a second for each card")
		->check(CLI::IsMember({ "error", "warning", "info", "debug" }))
		->default_str("warning");
}

static const char CTL_EXAMPLES[] =
	"Examples:\n"
	"  The third command of queue 1 of card 0 hangs; only a reset frees it:\n"
	"    accel-emu ctl /tmp/oac inject hang_command queue=1 until=soft_reset at.command=3\n"
	"\n"
	"  Card 2 dies at its 100th register access, and comes back:\n"
	"    accel-emu ctl /tmp/oac --card 2 inject dead at.access=100\n"
	"    accel-emu ctl /tmp/oac --card 2 clear\n"
	"\n"
	"  What was done to it and when; what waits or holds; a sensor of 95 degrees:\n"
	"    accel-emu ctl /tmp/oac log\n"
	"    accel-emu ctl /tmp/oac state\n"
	"    accel-emu ctl /tmp/oac/card0.ctl set_sensor chip_temp 95000\n"
	"\n"
	"  The same in JSON:\n"
	"    accel-emu ctl /tmp/oac '{\"request\": \"inject\", \"fault\": \"crash\", \"at\": {\"ms\": 50}}'\n"
	"\n"
	"Exit codes: 0 done; 1 the card refused the request; 2 wrong usage; 3 no card can be reached.";

static CLI::App *add_ctl(CLI::App &app, ctl_options &o)
{
	CLI::App *command = app.add_subcommand(
		"ctl", "Do something to a card that is served: faults, sensors, log");
	command->footer(CTL_EXAMPLES);
	command->add_flag_callback(
		"--list-faults",
		[] {
			std::fputs(fault_table().c_str(), stdout);
			throw CLI::Success();
		},
		"Print all faults and their parameters as a Markdown table, and end");
	command->add_option("--card", o.card, "Which card of a directory")
		->check(CLI::Range(0, 63))
		->capture_default_str();
	command->add_flag("--raw", o.is_raw, "Print the reply on one line");
	command->add_option("target", o.target, "Directory of accel-emu serve, or a control socket")
		->required();
	command->add_option(
		       "request", o.words,
		       "inject FAULT, clear [ID], list, log [FROM], set_sensor SENSOR [VALUE], "
		       "state; then key=value; or one JSON object")
		->required();
	return command;
}

int main(int argc, char **argv)
{
	CLI::App app("Emulated OAC cards that speak vfio-user", "accel-emu");
	app.footer(EXAMPLES);
	app.require_subcommand(1);
	serve_options options;
	ctl_options request;
	const CLI::App *const ctl_command = add_ctl(app, request);
	log_level level = log_level::warning;
	add_serve(app, options, level);
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		return app.exit(e) ? SERVE_USAGE : SERVE_OK;
	}
	if (ctl_command->parsed())
		return ctl(request);
	oac::vfio_user::log_set_level(level);
	return serve(options);
}
