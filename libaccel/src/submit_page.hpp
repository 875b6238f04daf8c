// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Stands in for a doorbell page where stores have to go another way, by a trapped access of the bus
// or by the driver: plain memory in which ASLEEP is set for ever, so that the library calls ring() or
// arm() of the backend after each store.
#pragma once

#include <cstddef>
#include <cstdint>

#include <hw/oac_regs.h>

namespace accel
{

struct alignas(64) submit_page {
	submit_page() noexcept { bytes[OAC_DB_ASLEEP] = std::byte{ 1 }; }
	std::byte bytes[OAC_DB_PAGE_SIZE]{};
};

/* The count in a word for arm(). */
constexpr std::uint32_t arm_seen(std::uint64_t arm_word) noexcept
{
	return static_cast<std::uint32_t>(arm_word & OAC_DB_ARM_SEEN_MASK);
}

} // namespace accel
