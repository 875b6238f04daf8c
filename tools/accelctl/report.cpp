// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a verb found out, put together.
#include "report.hpp"

namespace accelctl
{

exit_code report::code() const
{
	if (errors.empty())
		return exit_code::ok;
	return is_partial ? exit_code::partial : errors.front().code();
}

tree report::json() const
{
	tree out;

	out["schema"] = "accel." + verb_name + "/1";
	out.update(body);
	if (!text.empty())
		out["text"] = text;
	out["errors"] = tree::array();
	for (const failure &error : errors)
		out["errors"].push_back(error.json());
	return out;
}

void set_absent(tree &row, const std::string &key, const std::string &reason)
{
	row[key] = nullptr;
	row[key + "_reason"] = reason;
}

} // namespace accelctl
