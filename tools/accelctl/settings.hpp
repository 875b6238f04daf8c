// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the options that all verbs share were set to.
#pragma once

#include <string>
#include <vector>

namespace accelctl
{

struct settings {
	std::string output = "table";	/* table, json, ndjson */
	std::vector<std::string> devices;
	bool all = false;
	double watch_seconds = 0;	/* > 0: again and again, until interrupted */
};

} // namespace accelctl
