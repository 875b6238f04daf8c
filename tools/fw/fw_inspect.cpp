// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a firmware image says of itself, as a value tree. Damage is shown, not refused: whatever
// cannot be read is left out.
#include "fw_image.hpp"

#include <algorithm>

#include "fw_layout.hpp"
#include "fw_names.hpp"

namespace oac::fw
{

namespace
{

using ordered_json = nlohmann::ordered_json;

std::string hex(std::span<const std::uint8_t> data)
{
	static constexpr char digits[] = "0123456789abcdef";
	std::string out;

	for (const std::uint8_t byte : data) {
		out += digits[byte >> 4];
		out += digits[byte & 15];
	}
	return out;
}

std::string dotted(std::span<const __le32> numbers)
{
	std::string out;

	for (const __le32 number : numbers)
		out += (out.empty() ? "" : ".") + std::to_string(number);
	return out;
}

ordered_json header_json(const oac_fw_header &header)
{
	ordered_json out;
	const bool is_known = header.family == OAC_FW_FAMILY_OAC1;

	out["version"] = dotted(header.version);
	out["security_version"] = header.security_version;
	out["family"] = is_known ? "oac1" : std::to_string(header.family);
	out["protocol"] =
		std::to_string(header.protocol_major) + "." + std::to_string(header.protocol_minor);
	out["format"] = header.format;
	out["size_bytes"] = header.image_size;
	return out;
}

ordered_json section_json(image_span image, const oac_fw_section &section)
{
	ordered_json out;
	const auto content = section_content(image, section);

	out["type"] = name_of(section_types(), section.type);
	out["offset_bytes"] = section.offset;
	out["size_bytes"] = section.size;
	out["sha256"] = hex(section.sha256);
	out["intact"] = content && std::ranges::equal(sha256(*content), section.sha256);
	return out;
}

} // namespace

ordered_json inspect(image_span image)
{
	ordered_json out = ordered_json::object();
	const auto header = read_at<oac_fw_header>(image, 0);

	if (!header || header->magic != OAC_FW_MAGIC)
		return out;
	out = header_json(*header);
	out["sections"] = ordered_json::array();
	for (const oac_fw_section &section : read_sections(image)) {
		out["sections"].push_back(section_json(image, section));
		const auto content = section_content(image, section);
		if (section.type == OAC_FW_SECTION_MANIFEST && content &&
		    section.size == sizeof(oac_fw_manifest))
			out["manifest"] =
				manifest_json(*read_at<oac_fw_manifest>(image, section.offset));
		if (section.type == OAC_FW_SECTION_NOTES && content)
			out["notes"] = std::string(content->begin(), content->end());
	}
	return out;
}

} // namespace oac::fw
