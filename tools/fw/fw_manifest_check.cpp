// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What makes a manifest acceptable to a card: the same rules for text and for images.
#include "fw_manifest.hpp"

#include <algorithm>
#include <set>
#include <span>

#include "fw_manifest_fields.hpp"
#include "fw_names.hpp"

namespace oac::fw
{

namespace
{

using problem = std::optional<std::string>;

/* Printable ASCII, then zeroes up to the end. */
bool is_padded_ascii(std::span<const __u8> text)
{
	const auto end = std::ranges::find(text, 0);

	return std::all_of(text.begin(), end, [](__u8 c) { return c >= ' ' && c <= '~'; }) &&
	       std::all_of(end, text.end(), [](__u8 c) { return c == 0; });
}

problem mask_problem(const char *key, const std::vector<named> &list, std::span<const __le64> mask)
{
	for (std::uint32_t bit = 0; bit < mask.size() * 64; bit++) {
		const bool is_set = mask[bit / 64] >> (bit % 64) & 1;
		const bool is_known = std::ranges::any_of(list, [&](const named &entry) {
			return entry.number == bit;
		});
		if (is_set && !is_known)
			return std::string(key) + ": bit " + std::to_string(bit) +
			       " has no meaning";
	}
	return std::nullopt;
}

problem sensor_problem(const oac_sensor_info &info)
{
	const named_sensor *const sensor = sensor_of(info.id);

	if (!sensor)
		return "id " + std::to_string(info.id) + " is unknown";
	if (info.type != sensor->type)
		return "type " + std::to_string(info.type) + " does not go with " + sensor->name;
	if (info.flags & ~OAC_SENSOR_FLAGS_MASK)
		return "unknown flags";
	if (!is_padded_ascii(info.label) || info.label[OAC_SENSOR_LABEL_SIZE - 1] != 0)
		return "the label is not NUL-terminated printable ASCII";
	return std::nullopt;
}

problem sensors_problem(const oac_fw_manifest &manifest)
{
	std::set<std::uint16_t> ids;

	if (manifest.sensor_count > OAC_SENSOR_MAX)
		return "sensor_count: more than " + std::to_string(OAC_SENSOR_MAX);
	for (std::uint32_t i = 0; i < manifest.sensor_count; i++) {
		const std::string at = "sensors/" + std::to_string(i) + ": ";
		if (const problem why = sensor_problem(manifest.sensors[i]))
			return at + *why;
		if (!ids.insert(manifest.sensors[i].id).second)
			return at + sensor_of(manifest.sensors[i].id)->name + " is listed twice";
	}
	const std::span behind(
		reinterpret_cast<const __u8 *>(manifest.sensors + manifest.sensor_count),
		reinterpret_cast<const __u8 *>(std::end(manifest.sensors)));
	if (!std::ranges::all_of(behind, [](__u8 c) { return c == 0; }))
		return "sensors: entries behind the last are not zero";
	return std::nullopt;
}

} // namespace

std::optional<std::string> manifest_problem(const oac_fw_manifest &manifest)
{
	if (!is_padded_ascii(manifest.model))
		return "model: must be printable ASCII";
	if (const problem why = mask_problem("features", features(), { &manifest.features, 1 }))
		return why;
	if (const problem why = mask_problem("commands", commands(), manifest.cmd_mask))
		return why;
	if (const problem why = mask_problem("operators", operators(), manifest.op_mask))
		return why;
	for (const manifest_field &field : manifest_fields) {
		const std::uint32_t value = manifest.*field.member;
		if (value < field.min || value > field.max)
			return std::string(field.key) + ": " + std::to_string(value) +
			       " is not in " + std::to_string(field.min) + ".." +
			       std::to_string(field.max);
	}
	if (manifest.idle_power_mw > manifest.power_limit_mw)
		return "idle_power_mw: above power_limit_mw";
	if (manifest.rsvd[0] || manifest.rsvd[1] || manifest.rsvd[2])
		return "rsvd: must be zero";
	return sensors_problem(manifest);
}

} // namespace oac::fw
