// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The tree of commands as a thing to be read: what man page and shell completion are made from.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace accelctl
{

/// Verbs right below, in the order they were added.
std::vector<const CLI::App *> verbs_of(const CLI::App &app);

/// Named options, then positional ones.
std::vector<const CLI::Option *> options_of(const CLI::App &app);
std::vector<const CLI::Option *> positionals_of(const CLI::App &app);

/// "-o", "--output".
std::vector<std::string> spellings_of(const CLI::Option &option);

/// "fw load": all but the program's own name.
std::string path_of(const CLI::App &app);

/// The lines below "Examples:".
std::vector<std::string> examples_of(const CLI::App &app);

} // namespace accelctl
