// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Firmware images judged: the checks of the boot ROM, in its order (include/hw/oac_firmware.h), each
// a function that says what is wrong. Beyond the ROM it names every damaged section.
#include "fw_image.hpp"

#include <algorithm>
#include <cstring>

#include "fw_layout.hpp"
#include "fw_names.hpp"

namespace oac::fw
{

namespace
{

using problem = std::optional<std::string>;

problem short_problem(image_span image)
{
	if (image.size() >= sizeof(oac_fw_header) + OAC_FW_SIGNATURE_SIZE)
		return std::nullopt;
	return std::to_string(image.size()) + " bytes are less than header and signature";
}

problem magic_problem(const oac_fw_header &header)
{
	if (header.magic == OAC_FW_MAGIC)
		return std::nullopt;
	return "it does not begin like one";
}

problem truncated_problem(image_span image, const oac_fw_header &header)
{
	if (header.image_size <= image.size())
		return std::nullopt;
	return "it has " + std::to_string(image.size()) + " bytes, its header says " +
	       std::to_string(header.image_size);
}

problem section_problem(image_span image, const oac_fw_header &header,
			const oac_fw_section &section)
{
	const auto &types = section_types();

	if (!std::ranges::any_of(types, [&](const named &t) { return t.number == section.type; }))
		return "its type " + std::to_string(section.type) + " is unknown";
	if (section.rsvd || section.rsvd1)
		return "its reserved fields are not zero";
	if (section.offset % OAC_FW_ALIGN)
		return "its offset is not a multiple of " + std::to_string(OAC_FW_ALIGN);
	if (section.offset < header.header_size)
		return "it begins inside the section table";
	if (!section_content(image.first(image.size() - OAC_FW_SIGNATURE_SIZE), section))
		return "it ends behind the image";
	return std::nullopt;
}

/* Both lie inside the image. */
bool is_overlap(const oac_fw_section &a, const oac_fw_section &b)
{
	return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

problem table_problem(image_span image, const oac_fw_header &header)
{
	const std::vector<oac_fw_section> sections = read_sections(image);
	std::size_t manifests = 0;

	for (std::size_t i = 0; i < sections.size(); i++) {
		if (const problem why = section_problem(image, header, sections[i]))
			return "section " + section_name(image, i) + ": " + *why;
		for (std::size_t other = 0; other < i; other++) {
			if (is_overlap(sections[i], sections[other]))
				return "sections " + section_name(image, other) + " and " +
				       section_name(image, i) + " overlap";
		}
		manifests += sections[i].type == OAC_FW_SECTION_MANIFEST;
	}
	if (manifests != 1)
		return "it has " + std::to_string(manifests) + " manifests instead of one";
	return std::nullopt;
}

problem format_problem(image_span image, const oac_fw_header &header)
{
	if (header.format != OAC_FW_FORMAT)
		return "format " + std::to_string(header.format) + " is unknown";
	if (image.size() > OAC_FW_IMAGE_SIZE_MAX)
		return "it is larger than " + std::to_string(OAC_FW_IMAGE_SIZE_MAX) + " bytes";
	if (header.rsvd[0] || header.rsvd[1] || header.rsvd[2])
		return "the header's reserved fields are not zero";
	if (header.section_count < 1 || header.section_count > OAC_FW_SECTIONS_MAX)
		return "it has " + std::to_string(header.section_count) + " sections";
	if (header.header_size != section_offset(header.section_count))
		return "the header's size does not fit its number of sections";
	if (image.size() < header.header_size + std::size_t{ OAC_FW_SIGNATURE_SIZE })
		return "there is no room for table and signature";
	return table_problem(image, header);
}

problem signature_problem(image_span image, const verify_options &options)
{
	if (!options.key)
		return std::nullopt;

	signature by{};
	const image_span tail = image.last(OAC_FW_SIGNATURE_SIZE);
	std::ranges::copy(tail, by.begin());
	if (is_signed_by(image.first(image.size() - tail.size()), by, *options.key))
		return std::nullopt;
	if (std::ranges::all_of(by, [](std::uint8_t b) { return b == 0; }))
		return "it is not signed at all";
	return "signed by another key, or changed after it was signed";
}

std::vector<std::size_t> damaged_sections(image_span image)
{
	const auto sections = read_sections(image);
	std::vector<std::size_t> out;

	for (std::size_t i = 0; i < sections.size(); i++) {
		const auto content = section_content(image, sections[i]);
		if (!content || !std::ranges::equal(sha256(*content), sections[i].sha256))
			out.push_back(i);
	}
	return out;
}

problem hash_problem(image_span image, const std::vector<std::size_t> &damaged)
{
	if (damaged.empty())
		return std::nullopt;
	return "section " + section_name(image, damaged.front());
}

problem rollback_problem(const oac_fw_header &header, const verify_options &options)
{
	if (header.security_version >= options.min_security_version)
		return std::nullopt;
	return "its security version is " + std::to_string(header.security_version) +
	       ", the least allowed is " + std::to_string(options.min_security_version);
}

problem image_manifest_problem(image_span image)
{
	for (const oac_fw_section &section : read_sections(image)) {
		if (section.type != OAC_FW_SECTION_MANIFEST)
			continue;
		const auto manifest = read_at<oac_fw_manifest>(image, section.offset);
		if (section.size != sizeof(oac_fw_manifest) || !manifest)
			return "it has " + std::to_string(section.size) + " bytes instead of " +
			       std::to_string(sizeof(oac_fw_manifest));
		return manifest_problem(*manifest);
	}
	return "there is none";
}

problem family_problem(const oac_fw_header &header)
{
	if (header.family == OAC_FW_FAMILY_OAC1)
		return std::nullopt;
	return "family " + std::to_string(header.family) + " instead of " +
	       std::to_string(OAC_FW_FAMILY_OAC1);
}

problem protocol_problem(const oac_fw_header &header)
{
	if (header.protocol_major == OAC_PROTOCOL_MAJOR)
		return std::nullopt;
	return "protocol " + std::to_string(header.protocol_major) + " instead of " +
	       std::to_string(OAC_PROTOCOL_MAJOR);
}

/* The checks behind that of the magic, on an image without what may follow it in the file. */
verdict judge(image_span image, const oac_fw_header &header, const verify_options &options)
{
	if (const problem why = format_problem(image, header))
		return { OAC_FAIL_FORMAT, *why, false, {} };

	verdict out;
	const auto is_bad = [&](std::uint32_t fail, const problem &why) {
		out.fail = why ? fail : OAC_FAIL_NONE;
		out.detail = why.value_or("");
		return why.has_value();
	};
	out.damaged = damaged_sections(image);
	if (is_bad(OAC_FAIL_FAMILY, family_problem(header)) ||
	    is_bad(OAC_FAIL_PROTOCOL, protocol_problem(header)))
		return out;
	out.signature_checked = options.key.has_value();
	if (is_bad(OAC_FAIL_SIGNATURE, signature_problem(image, options)) ||
	    is_bad(OAC_FAIL_HASH, hash_problem(image, out.damaged)) ||
	    is_bad(OAC_FAIL_ROLLBACK, rollback_problem(header, options)))
		return out;
	is_bad(OAC_FAIL_MANIFEST, image_manifest_problem(image));
	return out;
}

} // namespace

std::string section_name(image_span image, std::size_t section)
{
	const auto sections = read_sections(image);
	const std::string type = section < sections.size() ?
					 name_of(section_types(), sections[section].type) :
					 "missing";

	return std::to_string(section) + " (" + type + ")";
}

verdict verify(image_span image, const verify_options &options)
{
	if (const problem why = short_problem(image))
		return { OAC_FAIL_TRUNCATED, *why, false, {} };
	const oac_fw_header header = *read_at<oac_fw_header>(image, 0);
	if (const problem why = magic_problem(header))
		return { OAC_FAIL_MAGIC, *why, false, {} };
	if (const problem why = truncated_problem(image, header))
		return { OAC_FAIL_TRUNCATED, *why, false, {} };
	return judge(image.first(header.image_size), header, options);
}

} // namespace oac::fw
