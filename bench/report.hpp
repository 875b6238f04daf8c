// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Rows of results as JSON, and as a table for people.
#pragma once

#include <string>
#include <vector>

#include "harness.hpp"

namespace bench
{

/* {"rows": [{name, value, floor, ratio, goal, met, ...}]}; throws if the file cannot be written. */
void write_json(const std::string &path, const std::vector<row> &rows);
void print_heading();
void print_row(const row &of);

} // namespace bench
