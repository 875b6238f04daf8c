// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Firmware images as bytes: made, signed, taken apart and judged as the boot ROM judges them.
// Nothing here believes an offset or a count of an image before it has checked it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>

#include "fw_file.hpp"
#include "fw_key.hpp"
#include "fw_manifest.hpp"

namespace oac::fw
{

/// An image with all-zero signature. The manifest is taken as it is, wrong or not.
bytes build(const description &from);

/// What a verified image's header says; bytes behind that are none of its own.
std::size_t image_size(std::span<const std::uint8_t> image);

/// Signs in place whatever the image says of itself: sections and hashes are not looked at.
/// EBADMSG if there is no room for header and signature.
void sign(bytes &image, const secret_key &key);

/// Sets a section's hash to what it should be; for tools that edit images. false: no such section.
bool rehash(bytes &image, std::size_t section);

struct verify_options {
	std::optional<public_key> key;	/* without one the signature is not checked */
	std::uint32_t min_security_version = 0;
};

struct verdict {
	std::uint32_t fail = OAC_FAIL_NONE;	/* the first failure in the ROM's order */
	std::string detail;			/* what exactly, for people */
	bool signature_checked = false;
	std::vector<std::size_t> damaged;	/* sections that do not match their hash */
};

verdict verify(std::span<const std::uint8_t> image, const verify_options &options);

/// Everything an image says of itself, as far as it can be read.
nlohmann::ordered_json inspect(std::span<const std::uint8_t> image);

/// A section for people: "1 (code)".
std::string section_name(std::span<const std::uint8_t> image, std::size_t section);

} // namespace oac::fw
