// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The numbers of a manifest: key, place in the struct and range, once for reader, writer and
// check. Private to tools/fw.
#pragma once

#include <cstdint>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>

namespace oac::fw
{

struct manifest_field {
	const char *key;
	__le32 oac_fw_manifest::*member;
	std::uint32_t min;
	std::uint32_t max;
};

inline constexpr manifest_field manifest_fields[] = {
	{ "engine_count", &oac_fw_manifest::engine_count, 1, OAC_FW_ENGINES_MAX },
	{ "engine_clock_khz", &oac_fw_manifest::engine_clock_khz, 1, UINT32_MAX },
	{ "max_contexts", &oac_fw_manifest::max_contexts, 1, OAC_FW_CONTEXTS_MAX },
	{ "max_queues", &oac_fw_manifest::max_queues, 1, OAC_CAP_DOORBELL_PAGES_MASK - 1 },
	{ "max_depth_log2", &oac_fw_manifest::max_depth_log2, 1, OAC_FW_DEPTH_LOG2_MAX },
	{ "max_segments", &oac_fw_manifest::max_segments, 1, OAC_FW_SEGMENTS_MAX },
	{ "max_maps", &oac_fw_manifest::max_maps, 1, OAC_FW_MAPS_MAX },
	{ "event_capacity", &oac_fw_manifest::event_capacity, 1, OAC_FW_EVENTS_MAX },
	{ "power_limit_mw", &oac_fw_manifest::power_limit_mw, 1, UINT32_MAX },
	{ "idle_power_mw", &oac_fw_manifest::idle_power_mw, 0, UINT32_MAX },
};

} // namespace oac::fw
