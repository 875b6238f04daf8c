// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A good firmware image and its keys, for tests that spoil one thing at a time.
#pragma once

#include <cstring>
#include <string>

#include <fw_image.hpp>

namespace oac::fw::test
{

inline const bytes SEED(32, 0x5a);

inline std::string manifest_text(const std::string &more = "")
{
	return R"({
	"model": "test card",
	"version": "1.2.3",
	"security_version": 4,
	"features": ["int8"],
	"commands": "all",
	"operators": ["gemm", "relu"],
	"engine_count": 3,
	"engine_clock_khz": 900000,
	"max_contexts": 16,
	"max_queues": 32,
	"max_depth_log2": 8,
	"max_segments": 64,
	"max_maps": 128,
	"event_capacity": 256,
	"power_limit_mw": 12000,
	"idle_power_mw": 3000,
	"sensors": [
		{ "id": "chip_temp", "label": "Chip", "warn_millicelsius": 85000 },
		{ "id": "engine_load", "label": "Engines" }
	])" + more +
	       "\n}\n";
}

inline description sample()
{
	description out = parse_manifest(manifest_text(), "test");

	out.code.assign(1000, 0xc0);
	out.notes = "for tests";
	return out;
}

inline bytes signed_image(const description &from)
{
	bytes image = build(from);

	sign(image, secret_key(SEED));
	return image;
}

inline verify_options trusting(std::uint32_t min_security_version = 0)
{
	return { secret_key(SEED).public_half(), min_security_version };
}

/* Changes a struct inside an image and signs it again. */
template <typename T, typename Change>
void edit(bytes &image, std::size_t offset, Change &&change)
{
	T value;
	std::memcpy(&value, image.data() + offset, sizeof(value));
	change(value);
	std::memcpy(image.data() + offset, &value, sizeof(value));
	sign(image, secret_key(SEED));
}

template <typename Change>
void edit_header(bytes &image, Change &&change)
{
	edit<oac_fw_header>(image, 0, change);
}

template <typename Change>
void edit_section(bytes &image, std::size_t index, Change &&change)
{
	edit<oac_fw_section>(image, sizeof(oac_fw_header) + index * sizeof(oac_fw_section), change);
}

} // namespace oac::fw::test
