// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The names of numbers in firmware images: everything comes from the X-lists of include/hw, so
// that a command added there is known to manifests here. Names are lower case for people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oac::fw
{

struct named {
	std::string name;
	std::uint32_t number;
};

struct named_sensor {
	std::string name;
	std::uint16_t id;
	std::uint16_t type;
	std::string unit;	/* of limits, as key suffix: "millicelsius" */
};

const std::vector<named> &commands();
const std::vector<named> &operators();
const std::vector<named> &features();	/* numbers are bit positions */
const std::vector<named> &section_types();
const std::vector<named_sensor> &sensors();

std::optional<std::uint32_t> number_of(const std::vector<named> &list, std::string_view name);
/// The name, or the number as text if it has none.
std::string name_of(const std::vector<named> &list, std::uint32_t number);
/// "nop, copy, fill": for messages.
std::string names_of(const std::vector<named> &list);

const named_sensor *sensor_of(std::string_view name);
const named_sensor *sensor_of(std::uint16_t id);

/// "SIGNATURE" and its sentence, for an OAC_FAIL_* number.
const char *fail_name(std::uint32_t fail);
const char *fail_text(std::uint32_t fail);

} // namespace oac::fw
