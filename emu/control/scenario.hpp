// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Scenario files: what is to be done to which card, and when, in YAML. Each item becomes a request,
// see requests.hpp; what is wrong is told with its line.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace oac::emu::control
{

/* The text says where and what. */
class scenario_error : public std::runtime_error
{
public:
	using std::runtime_error::runtime_error;
};

struct scenario_item {
	std::string request; /* JSON */
	std::optional<unsigned> card; /* nothing: every card */
	unsigned line = 0; /* from 1 */
};

/* Throws scenario_error. What the requests say is not looked at. */
std::vector<scenario_item> read_scenario(const std::string &yaml);

} // namespace oac::emu::control
