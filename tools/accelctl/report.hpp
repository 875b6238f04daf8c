// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a verb found out: a value tree for the printers, what failed, and so the exit code. A verb
// builds it once; how it looks on a terminal or in JSON is none of the verb's business.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "exit_code.hpp"
#include "failure.hpp"

namespace accelctl
{

using tree = nlohmann::ordered_json;

struct report {
	explicit report(const std::string &verb) : verb_name(verb) {}

	std::string verb_name;
	tree body = tree::object();
	std::string text;		/* verbs that make a text instead of values: man, completion */
	std::vector<failure> errors;
	bool is_printed = false;	/* on stdout, by the verb, as it came */
	bool is_partial = false;	/* something succeeded beside the errors */

	exit_code code() const;
	/// The whole of it: {"schema": "accel.VERB/1", ..., "errors": [...]}.
	tree json() const;
};

/// Sets row[key] to a value, or to null and row[key + "_reason"] to why it is absent.
void set_absent(tree &row, const std::string &key, const std::string &reason);

} // namespace accelctl
