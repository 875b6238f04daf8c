// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The checks of a firmware image, in the order of include/hw/oac_firmware.h, one function per step
// of the boot ROM. Pure functions over bytes that nobody has vouched for: no size or offset is
// believed before it is compared. Each returns OAC_FAIL_*.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <hw/oac_firmware.h>

namespace oac::emu
{

struct firmware_image {
	std::span<const std::byte> bytes; /* image_size of them, signature included */
	oac_fw_header header{};
	std::vector<oac_fw_section> sections;
	oac_fw_manifest manifest{};

	std::span<const std::byte> section(const oac_fw_section &which) const
	{
		return bytes.subspan(which.offset, which.size);
	}
};

using fw_key = std::span<const std::uint8_t, OAC_FW_KEY_SIZE>;

/* Size, magic, format, table, offsets, family, protocol; fills bytes, header and sections. */
unsigned check_image_header(std::span<const std::byte> given, firmware_image &image);
unsigned check_image_signature(const firmware_image &image, fw_key key);
unsigned check_section_hash(const firmware_image &image, const oac_fw_section &section);
unsigned check_image_version(const firmware_image &image, std::uint32_t security_version);
/* Can a card with so many doorbell pages be what the manifest says? Fills manifest. */
unsigned check_image_manifest(firmware_image &image, unsigned doorbell_pages);

} // namespace oac::emu
