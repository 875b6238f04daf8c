// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Firmware images as bytes: made and signed.
#include "fw_image.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fw_error.hpp"
#include "fw_layout.hpp"

namespace oac::fw
{

namespace
{

struct part {
	std::uint32_t type;
	std::span<const std::uint8_t> content;
};

std::span<const std::uint8_t> bytes_of(const std::string &text)
{
	return { reinterpret_cast<const std::uint8_t *>(text.data()), text.size() };
}

oac_fw_header header_of(const description &from, std::size_t sections)
{
	oac_fw_header header{};

	header.magic = OAC_FW_MAGIC;
	header.format = OAC_FW_FORMAT;
	header.family = from.family;
	header.header_size =
		static_cast<__le32>(sizeof(header) + sections * sizeof(oac_fw_section));
	header.section_count = static_cast<__le32>(sections);
	std::ranges::copy(from.version, header.version);
	header.security_version = from.security_version;
	header.protocol_major = from.protocol_major;
	header.protocol_minor = from.protocol_minor;
	return header;
}

/* Appends a section behind the image so far, on its alignment. */
oac_fw_section append(bytes &image, const part &from)
{
	image.resize((image.size() + OAC_FW_ALIGN - 1) / OAC_FW_ALIGN * OAC_FW_ALIGN);

	oac_fw_section section{};
	section.type = from.type;
	section.offset = image.size();
	section.size = from.content.size();
	std::ranges::copy(sha256(from.content), section.sha256);
	image.insert(image.end(), from.content.begin(), from.content.end());
	return section;
}

} // namespace

bytes build(const description &from)
{
	std::vector<part> parts = {
		{ OAC_FW_SECTION_MANIFEST,
		  { reinterpret_cast<const std::uint8_t *>(&from.manifest),
		    sizeof(from.manifest) } },
	};
	if (!from.code.empty())
		parts.push_back({ OAC_FW_SECTION_CODE, from.code });
	if (!from.notes.empty())
		parts.push_back({ OAC_FW_SECTION_NOTES, bytes_of(from.notes) });

	oac_fw_header header = header_of(from, parts.size());
	bytes image(header.header_size);
	for (std::size_t i = 0; i < parts.size(); i++) {
		const oac_fw_section section = append(image, parts[i]);
		std::memcpy(image.data() + section_offset(i), &section, sizeof(section));
	}
	image.resize((image.size() + OAC_FW_ALIGN - 1) / OAC_FW_ALIGN * OAC_FW_ALIGN +
		     OAC_FW_SIGNATURE_SIZE);
	if (image.size() > OAC_FW_IMAGE_SIZE_MAX)
		throw error(EFBIG, "the image would have " + std::to_string(image.size()) +
					   " bytes; a card takes at most " +
					   std::to_string(OAC_FW_IMAGE_SIZE_MAX));
	header.image_size = image.size();
	std::memcpy(image.data(), &header, sizeof(header));
	return image;
}

std::size_t image_size(image_span image)
{
	const auto header = read_at<oac_fw_header>(image, 0);

	return header ? header->image_size : 0;
}

void sign(bytes &image, const secret_key &key)
{
	if (image.size() < sizeof(oac_fw_header) + OAC_FW_SIGNATURE_SIZE)
		throw error(EBADMSG, "too short for a firmware image");

	const std::size_t signed_size = image.size() - OAC_FW_SIGNATURE_SIZE;
	std::ranges::copy(key.sign({ image.data(), signed_size }),
			  image.begin() + static_cast<std::ptrdiff_t>(signed_size));
}

bool rehash(bytes &image, std::size_t section)
{
	const auto all = read_sections(image);

	if (section >= all.size())
		return false;
	const auto content = section_content(image, all[section]);
	if (!content)
		return false;
	const auto hash = sha256(*content);
	std::memcpy(image.data() + section_offset(section) + offsetof(oac_fw_section, sha256),
		    hash.data(), hash.size());
	return true;
}

} // namespace oac::fw
