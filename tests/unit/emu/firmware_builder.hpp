// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Makes signed firmware images in memory, good ones and (by the hooks) bad ones of each kind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <hw/oac_firmware.h>
#include <hw/oac_ops.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace oac::emu::test
{

/* A manifest with everything on and all seven sensors. */
oac_fw_manifest default_manifest();

struct firmware_builder {
	using bytes = std::vector<std::byte>;

	oac_fw_manifest manifest = default_manifest();
	std::uint32_t security_version = 3;
	std::size_t manifest_size = sizeof(oac_fw_manifest);
	/* Changes before hashing and signing, before signing only, and after signing. */
	std::function<void(oac_fw_header &, std::vector<oac_fw_section> &)> on_table;
	std::function<void(bytes &)> on_hashed;
	std::function<void(bytes &)> on_signed;

	bytes build() const;
	static std::array<std::uint8_t, OAC_FW_KEY_SIZE> public_key();
};

} // namespace oac::emu::test
