// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl fw: the roof over all that has to do with firmware.
#include "verb.hpp"

namespace accelctl
{

void add_fw(CLI::App &app, session &s)
{
	CLI::App *const fw = app.add_subcommand("fw", "Load, make and check firmware images");

	fw->require_subcommand(1);
	fw->footer("\nExamples:\n"
		   "  accelctl fw load /lib/firmware/oac/oac1.fw --all\n"
		   "  accelctl fw verify oac1.fw --key vendor.pub");
	add_output_option(*fw, s);
	add_fw_load(*fw, s);
	add_fw_files(*fw, s);
}

} // namespace accelctl
