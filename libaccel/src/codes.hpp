// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the card's numbers mean to the library's users: completion status -> -Exxx and text, boot
// states and failure reasons -> words. All from the lists of include/hw.
#pragma once

#include <cstdint>
#include <string>

#include <hw/oac_queue.h>

namespace accel
{

constexpr unsigned STATUS_END = 0x40;

struct status_table {
	std::int16_t result[STATUS_END];
};
extern const status_table STATUS_TABLE;

/* 0, or -Exxx: the kind of failure. */
inline std::int32_t status_result(std::uint16_t status) noexcept
{
	if (status == OAC_ST_SUCCESS) [[likely]]
		return 0;
	return status < STATUS_END ? STATUS_TABLE.result[status] :
				     STATUS_TABLE.result[STATUS_END - 1];
}

/* Whether include/hw knows the code at all. */
bool is_status(std::uint32_t status) noexcept;
const char *state_text(std::uint32_t state) noexcept;
const char *boot_fail_text(std::uint32_t reason) noexcept;

/* "CHIP_TEMP" -> "chip_temp" */
std::string lower(const char *text);

} // namespace accel
