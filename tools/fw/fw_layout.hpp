// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Bounds-checked looks into the bytes of an image. Private to tools/fw.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <hw/oac_firmware.h>

namespace oac::fw
{

using image_span = std::span<const std::uint8_t>;

constexpr std::size_t section_offset(std::size_t index)
{
	return sizeof(oac_fw_header) + index * sizeof(oac_fw_section);
}

template <typename T>
std::optional<T> read_at(image_span image, std::uint64_t offset)
{
	if (offset > image.size() || image.size() - offset < sizeof(T))
		return std::nullopt;
	T out;
	std::memcpy(&out, image.data() + offset, sizeof(T));
	return out;
}

/// The entries of the section table that are there, at most OAC_FW_SECTIONS_MAX.
inline std::vector<oac_fw_section> read_sections(image_span image)
{
	std::vector<oac_fw_section> out;
	const auto header = read_at<oac_fw_header>(image, 0);
	const std::size_t count =
		header ? std::min<std::size_t>(header->section_count, OAC_FW_SECTIONS_MAX) : 0;

	for (std::size_t i = 0; i < count; i++) {
		const auto section = read_at<oac_fw_section>(image, section_offset(i));
		if (!section)
			break;
		out.push_back(*section);
	}
	return out;
}

/// The bytes of a section; nothing if they are not all inside the image.
inline std::optional<image_span> section_content(image_span image, const oac_fw_section &section)
{
	if (section.offset > image.size() || image.size() - section.offset < section.size)
		return std::nullopt;
	return image.subspan(section.offset, section.size);
}

} // namespace oac::fw
