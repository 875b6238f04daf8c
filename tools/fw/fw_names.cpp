// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The names of numbers in firmware images, expanded from the X-lists of include/hw.
#include "fw_names.hpp"

#include <algorithm>
#include <bit>
#include <cctype>

#include <hw/oac_firmware.h>
#include <hw/oac_ops.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace oac::fw
{

namespace
{

std::string lower(std::string_view text)
{
	std::string out(text);

	std::ranges::transform(out, out.begin(),
			       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
	return out;
}

/* Key suffixes for the units that OAC_SENSOR_TYPES describes in words. */
const char *unit_suffix(std::uint16_t type)
{
	switch (type) {
	case OAC_SENSOR_TEMPERATURE:
		return "millicelsius";
	case OAC_SENSOR_POWER:
		return "microwatts";
	case OAC_SENSOR_VOLTAGE:
		return "millivolts";
	case OAC_SENSOR_CURRENT:
		return "milliamperes";
	case OAC_SENSOR_CLOCK:
		return "hertz";
	case OAC_SENSOR_LOAD:
		return "ppm";
	}
	return "raw";
}

} // namespace

const std::vector<named> &commands()
{
#define X(name) { lower(#name), OAC_CMD_##name },
	static const std::vector<named> list = { OAC_CMDS(X) };
#undef X
	return list;
}

const std::vector<named> &operators()
{
#define X(name) { lower(#name), OAC_OP_##name },
	static const std::vector<named> list = { OAC_OPS(X) };
#undef X
	return list;
}

const std::vector<named> &features()
{
	static const std::vector<named> list = {
		{ "int8", std::countr_zero(OAC_FEATURE_INT8) },
		{ "fp32", std::countr_zero(OAC_FEATURE_FP32) },
	};
	return list;
}

const std::vector<named> &section_types()
{
#define X(name) { lower(#name), OAC_FW_SECTION_##name },
	static const std::vector<named> list = { OAC_FW_SECTION_TYPES(X) };
#undef X
	return list;
}

const std::vector<named_sensor> &sensors()
{
#define X(name, type) \
	{ lower(#name), OAC_SENSOR_ID_##name, OAC_SENSOR_##type, unit_suffix(OAC_SENSOR_##type) },
	static const std::vector<named_sensor> list = { OAC_SENSOR_IDS(X) };
#undef X
	return list;
}

std::optional<std::uint32_t> number_of(const std::vector<named> &list, std::string_view name)
{
	const auto hit = std::ranges::find(list, name, &named::name);

	if (hit == list.end())
		return std::nullopt;
	return hit->number;
}

std::string name_of(const std::vector<named> &list, std::uint32_t number)
{
	const auto hit = std::ranges::find(list, number, &named::number);

	return hit == list.end() ? std::to_string(number) : hit->name;
}

std::string names_of(const std::vector<named> &list)
{
	std::string out;

	for (const named &entry : list)
		out += (out.empty() ? "" : ", ") + entry.name;
	return out;
}

const named_sensor *sensor_of(std::string_view name)
{
	const auto hit = std::ranges::find(sensors(), name, &named_sensor::name);

	return hit == sensors().end() ? nullptr : &*hit;
}

const named_sensor *sensor_of(std::uint16_t id)
{
	const auto hit = std::ranges::find(sensors(), id, &named_sensor::id);

	return hit == sensors().end() ? nullptr : &*hit;
}

const char *fail_name(std::uint32_t fail)
{
	switch (fail) {
#define X(name, text) \
	case OAC_FAIL_##name: \
		return #name;
		OAC_FAILS(X)
#undef X
	}
	return "UNKNOWN";
}

const char *fail_text(std::uint32_t fail)
{
	switch (fail) {
#define X(name, text) \
	case OAC_FAIL_##name: \
		return text;
		OAC_FAILS(X)
#undef X
	}
	return "a reason this program does not know";
}

} // namespace oac::fw
