// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The tree of commands as a thing to be read.
#include "command_tree.hpp"

#include <sstream>

namespace accelctl
{

std::vector<const CLI::App *> verbs_of(const CLI::App &app)
{
	return app.get_subcommands([](const CLI::App *) { return true; });
}

std::vector<const CLI::Option *> options_of(const CLI::App &app)
{
	return app.get_options([](const CLI::Option *o) { return !o->get_positional(); });
}

std::vector<const CLI::Option *> positionals_of(const CLI::App &app)
{
	return app.get_options([](const CLI::Option *o) { return o->get_positional(); });
}

std::vector<std::string> spellings_of(const CLI::Option &option)
{
	std::vector<std::string> out;

	for (const std::string &name : option.get_snames())
		out.push_back("-" + name);
	for (const std::string &name : option.get_lnames())
		out.push_back("--" + name);
	return out;
}

std::string path_of(const CLI::App &app)
{
	const CLI::App *const parent = app.get_parent();

	if (!parent)
		return "";
	const std::string above = path_of(*parent);
	return above.empty() ? app.get_name() : above + " " + app.get_name();
}

std::vector<std::string> examples_of(const CLI::App &app)
{
	std::istringstream lines(app.get_footer());
	std::vector<std::string> out;
	std::string line;

	while (std::getline(lines, line)) {
		if (line.starts_with("  accelctl"))
			out.push_back(line.substr(2));
	}
	return out;
}

} // namespace accelctl
