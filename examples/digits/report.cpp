// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "report.hpp"

#include <fmt/format.h>

namespace digits
{
namespace
{

using json = nlohmann::ordered_json;

json or_null(const std::optional<std::string> &text)
{
	return text ? json(*text) : json(nullptr);
}

std::string cell(const json &value, int decimals)
{
	return value.is_null() ? "-" : fmt::format("{:.{}f}", value.get<double>(), decimals);
}

void print_health(const json &health)
{
	fmt::print("\n{:<20} {:<8} {:>10} {:>9} {:>7} {:>10} {:>7}\n", "card", "state", "chip degC",
		   "watts", "load %", "commands", "errors");
	for (const auto &card : health) {
		const json &load = card["engine_load_ratio"];
		fmt::print("{:<20} {:<8} {:>10} {:>9} {:>7} {:>10} {:>7}\n",
			   card["serial"].is_null() ? "-" : card["serial"].get<std::string>(),
			   card["state"].is_null() ? "-" : card["state"].get<std::string>(),
			   cell(card["chip_temp_celsius"], 1), cell(card["card_power_watts"], 2),
			   load.is_null() ? "-" : cell(load.get<double>() * 100, 0),
			   cell(card["commands"], 0), cell(card["command_errors"], 0));
	}
}

} // namespace

json card_health(const accel::device &device)
{
	const accel::telemetry now = device.read_telemetry();
	json row;

	row["name"] = or_null(device.string(ACCEL_STRING_NAME));
	row["serial"] = or_null(device.string(ACCEL_STRING_SERIAL));
	row["state"] = or_null(device.string(ACCEL_STRING_STATE));
	for (const auto &sensor : now.sensors()) {
		const std::string key = fmt::format("{}_{}", sensor.name, sensor.unit);
		row[key] = sensor.value ? json(*sensor.value) : json(nullptr);
		if (!sensor.value)
			row[key + "_absent"] = sensor.absent_reason;
	}
	for (const char *name : { "commands", "command_errors", "access_faults", "resets" }) {
		const auto value = now.counter_value(name);
		row[name] = value ? json(*value) : json(nullptr);
	}
	for (const char *key : { "chip_temp_celsius", "card_power_watts", "engine_load_ratio" })
		if (!row.contains(key))
			row[key] = nullptr;
	return row;
}

json to_json(const report &result)
{
	return {
		{ "schema", "accel.digits/1" },
		{ "cards", result.firmware.size() },
		{ "firmware",
		  result.firmware.empty() ? json(nullptr) : json(result.firmware.front()) },
		{ "images", result.images },
		{ "held_out_images", result.held_out },
		{ "accuracy_fp32", result.accuracy_fp32 },
		{ "accuracy_int8", result.accuracy_int8 },
		{ "mismatches", result.mismatches },
		{ "images_per_second",
		  result.seconds > 0 ? static_cast<double>(result.images) / result.seconds : 0.0 },
		{ "bytes_to_cards", result.bytes_to_cards },
		{ "bytes_from_cards", result.bytes_from_cards },
		{ "health", result.health },
	};
}

void print(const report &result)
{
	const json shown = to_json(result);
	const auto percent = [](double ratio) { return ratio * 100; };

	fmt::print("\nHandwritten digits on {} card{}, firmware {}\n", result.firmware.size(),
		   result.firmware.size() == 1 ? "" : "s",
		   shown["firmware"].is_null() ? "-" : shown["firmware"].get<std::string>());
	fmt::print("  accuracy, fp32 on the host   {:6.2f} %  of {} held-out images\n",
		   percent(result.accuracy_fp32), result.held_out);
	fmt::print("  accuracy, int8 on the cards  {:6.2f} %\n", percent(result.accuracy_int8));
	fmt::print("  mismatches against the host  {:6}    bit for bit, {} images\n",
		   result.mismatches, result.images);
	fmt::print("  images per second            {:6.0f}\n",
		   shown["images_per_second"].get<double>());
	fmt::print("  moved to cards / back        {:.1f} / {:.1f} MB\n",
		   static_cast<double>(result.bytes_to_cards) / 1e6,
		   static_cast<double>(result.bytes_from_cards) / 1e6);
	print_health(result.health);
}

} // namespace digits
