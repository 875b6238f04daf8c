// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accel-emu ctl: says one request to the control socket of a card and prints the reply.
#pragma once

#include <string>
#include <vector>

struct ctl_options {
	std::string target; /* a control socket, or the directory of one */
	unsigned card = 0; /* in a directory */
	std::vector<std::string> words; /* a JSON object, or a request in words */
	bool is_raw = false; /* the reply as it comes, on one line */
};

enum ctl_exit { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

/* Returns one of them; has said why on stderr. */
int ctl(const ctl_options &options);

/* The catalogue of faults as a Markdown table. */
std::string fault_table();
