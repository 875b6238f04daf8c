// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Manifests as JSON: text to struct and back.
#include "fw_manifest.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "fw_json.hpp"
#include "fw_manifest_fields.hpp"
#include "fw_names.hpp"

namespace oac::fw
{

namespace
{

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;

/* "1.2.3" into as many numbers as wanted. */
template <std::size_t Count>
std::array<std::uint32_t, Count> dotted(json_object &from, const char *key, std::uint32_t max)
{
	const std::string text = from.string(key);
	std::array<std::uint32_t, Count> out{};
	const char *at = text.data();
	const char *const end = at + text.size();

	for (std::size_t i = 0; i < Count; i++) {
		const auto [next, code] = std::from_chars(at, end, out[i]);
		const bool is_last = i + 1 == Count;
		if (code != std::errc() || out[i] > max || (next == end) != is_last ||
		    (!is_last && *next != '.'))
			from.fail(key, "must be " + std::to_string(Count) +
					       " numbers with dots between, each at most " +
					       std::to_string(max));
		at = next + 1;
	}
	return out;
}

/* "all" or a list of names, as bit mask. */
void read_mask(json_object &from, const char *key, const std::vector<named> &list, __le64 *mask,
	       std::size_t words)
{
	const auto set = [&](std::uint32_t bit) {
		if (bit / 64 < words)
			mask[bit / 64] |= 1ull << (bit % 64);
	};
	const json &value = from.at(key);

	if (value == "all") {
		for (const named &entry : list)
			set(entry.number);
		return;
	}
	if (!value.is_array())
		from.fail(key, "must be \"all\" or a list of names");
	for (std::size_t i = 0; i < value.size(); i++) {
		const auto number = value[i].is_string() ?
					    number_of(list, value[i].get<std::string>()) :
					    std::nullopt;
		if (!number)
			from.fail(std::string(key) + "/" + std::to_string(i),
				  value[i].dump() + " is unknown; known: " + names_of(list));
		set(*number);
	}
}

void read_limit(json_object &from, const std::string &key, oac_sensor_info &into,
		std::uint32_t flag, __le64 &limit)
{
	if (!from.has(key.c_str()))
		return;
	limit = static_cast<__le64>(from.signed_number(key.c_str()));
	into.flags |= flag;
}

oac_sensor_info read_sensor(const json_text &text, const json &value, const std::string &path)
{
	json_object from(text, value, path);
	oac_sensor_info out{};

	const std::string id = from.string("id");
	const named_sensor *const sensor = sensor_of(id);
	if (!sensor) {
		std::string all;
		for (const named_sensor &s : sensors())
			all += (all.empty() ? "" : ", ") + s.name;
		from.fail("id", "\"" + id + "\" is unknown; known: " + all);
	}
	out.id = sensor->id;
	out.type = sensor->type;
	const std::string label = from.ascii("label", OAC_SENSOR_LABEL_SIZE - 1);
	std::memcpy(out.label, label.data(), label.size());
	read_limit(from, "warn_" + sensor->unit, out, OAC_SENSOR_HAS_WARN, out.warn);
	read_limit(from, "critical_" + sensor->unit, out, OAC_SENSOR_HAS_CRITICAL, out.critical);
	from.finish();
	if ((out.flags & OAC_SENSOR_HAS_WARN) && (out.flags & OAC_SENSOR_HAS_CRITICAL) &&
	    static_cast<std::int64_t>(out.warn) > static_cast<std::int64_t>(out.critical))
		from.fail("warn_" + sensor->unit, "is above the critical limit");
	return out;
}

void read_sensors(const json_text &text, json_object &from, oac_fw_manifest &out)
{
	const json &list = from.at("sensors");

	if (!list.is_array() || list.size() > OAC_SENSOR_MAX)
		from.fail("sensors", "must be a list of at most " + std::to_string(OAC_SENSOR_MAX));
	for (std::size_t i = 0; i < list.size(); i++)
		out.sensors[i] =
			read_sensor(text, list[i], from.path("sensors") + "/" + std::to_string(i));
	out.sensor_count = static_cast<__le32>(list.size());
}

ordered_json mask_json(const std::vector<named> &list, const __le64 *mask, std::size_t words)
{
	ordered_json out = ordered_json::array();

	for (std::uint32_t bit = 0; bit < words * 64; bit++) {
		if (mask[bit / 64] >> (bit % 64) & 1)
			out.push_back(name_of(list, bit));
	}
	return out;
}

std::string text_of(const __u8 *from, std::size_t max)
{
	const auto *const text = reinterpret_cast<const char *>(from);

	return std::string(text, strnlen(text, max));
}

} // namespace

description parse_manifest(std::string_view source_text, const std::string &source)
{
	const json_text text(source_text, source);
	json_object from(text, text.root(), "");
	description out;

	const std::string family = from.has("family") ? from.string("family") : "oac1";
	if (family != "oac1")
		from.fail("family", "\"" + family + "\" is unknown; known: oac1");
	out.version = dotted<3>(from, "version", UINT32_MAX);
	out.security_version =
		static_cast<std::uint32_t>(from.number("security_version", 0, UINT32_MAX));
	if (from.has("protocol")) {
		const auto protocol = dotted<2>(from, "protocol", UINT16_MAX);
		out.protocol_major = static_cast<std::uint16_t>(protocol[0]);
		out.protocol_minor = static_cast<std::uint16_t>(protocol[1]);
	}
	if (from.has("notes"))
		out.notes = from.string("notes");

	oac_fw_manifest &to = out.manifest;
	const std::string model = from.ascii("model", OAC_MODEL_NAME_SIZE);
	std::memcpy(to.model, model.data(), model.size());
	read_mask(from, "features", features(), &to.features, 1);
	read_mask(from, "commands", commands(), to.cmd_mask, OAC_MASK_WORDS);
	read_mask(from, "operators", operators(), to.op_mask, OAC_MASK_WORDS);
	for (const manifest_field &field : manifest_fields)
		to.*field.member =
			static_cast<__le32>(from.number(field.key, field.min, field.max));
	read_sensors(text, from, to);
	from.finish();
	if (const auto problem = manifest_problem(to))
		text.fail("", *problem);
	return out;
}

ordered_json manifest_json(const oac_fw_manifest &manifest)
{
	ordered_json out;

	out["model"] = text_of(manifest.model, OAC_MODEL_NAME_SIZE);
	out["features"] = mask_json(features(), &manifest.features, 1);
	out["commands"] = mask_json(commands(), manifest.cmd_mask, OAC_MASK_WORDS);
	out["operators"] = mask_json(operators(), manifest.op_mask, OAC_MASK_WORDS);
	for (const manifest_field &field : manifest_fields)
		out[field.key] = manifest.*field.member;
	out["sensors"] = ordered_json::array();
	const std::uint32_t count = std::min<std::uint32_t>(manifest.sensor_count, OAC_SENSOR_MAX);
	for (std::uint32_t i = 0; i < count; i++) {
		const oac_sensor_info &info = manifest.sensors[i];
		const named_sensor *const sensor = sensor_of(info.id);
		const std::string unit = sensor ? sensor->unit : "raw";
		ordered_json entry;
		entry["id"] = sensor ? sensor->name : std::to_string(info.id);
		entry["label"] = text_of(info.label, OAC_SENSOR_LABEL_SIZE);
		if (info.flags & OAC_SENSOR_HAS_WARN)
			entry["warn_" + unit] = static_cast<std::int64_t>(info.warn);
		if (info.flags & OAC_SENSOR_HAS_CRITICAL)
			entry["critical_" + unit] = static_cast<std::int64_t>(info.critical);
		out["sensors"].push_back(std::move(entry));
	}
	return out;
}

} // namespace oac::fw
