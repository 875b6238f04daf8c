// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Manifests: the JSON text that people write, the struct that the card reads, and what makes one
// of either acceptable. firmware/oac1.json is the example; every key is checked, none is ignored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <hw/oac_firmware.h>

#include "fw_file.hpp"

namespace oac::fw
{

/// All that makes an image, but the key it is signed with.
struct description {
	std::uint32_t family = OAC_FW_FAMILY_OAC1;
	std::array<std::uint32_t, 3> version{};
	std::uint32_t security_version = 0;
	std::uint16_t protocol_major = OAC_PROTOCOL_MAJOR;
	std::uint16_t protocol_minor = OAC_PROTOCOL_MINOR;
	oac_fw_manifest manifest{};
	bytes code;		/* no section if empty */
	std::string notes;	/* no section if empty */
};

/// source names the text in messages: "source:LINE: /path/to/key: why". Throws oac::fw::error.
description parse_manifest(std::string_view text, const std::string &source);

/// The same keys as parse_manifest() takes, without those of the header.
nlohmann::ordered_json manifest_json(const oac_fw_manifest &manifest);

/// What is wrong with a manifest: the first problem, as "key: why"; nothing if a card can take it.
std::optional<std::string> manifest_problem(const oac_fw_manifest &manifest);

} // namespace oac::fw
