// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl debug: shows what a failed card left behind, on any machine.
#include "verb.hpp"

#include <fw_error.hpp>
#include <fw_file.hpp>

#include "dump_reader.hpp"
#include "fw_failure.hpp"

namespace accelctl
{

namespace
{

constexpr std::size_t DUMP_MAX = std::size_t{ 64 } << 20;

} // namespace

void add_debug(CLI::App &app, session &s)
{
	const auto file = std::make_shared<std::string>();
	const auto run = [file] {
		return with_fw_errors([&] {
			report out("debug");
			const oac::fw::bytes bytes = oac::fw::read_file(*file, DUMP_MAX);
			out.body = read_dump(std::as_bytes(std::span(bytes)), *file);
			return out;
		});
	};
	CLI::App *const verb = add_verb(
		app, s,
		{ "debug", "Show the dump that a card's first failure left, without any card",
		  "debug /sys/class/devcoredump/devcd1/data\n"
		  "debug saved.dump -o json" },
		run);
	verb->add_option("file", *file, "The dump")->required()->type_name("FILE");
}

} // namespace accelctl
