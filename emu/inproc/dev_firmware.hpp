// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The development firmware that every emulated card has in its flash, and the key it is signed
// with; built into the program. Not there (empty, zeroes) when the tree was built without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <hw/oac_firmware.h>

namespace oac::emu
{

inline constexpr std::size_t FIRMWARE_SIZE_MAX = OAC_FW_IMAGE_SIZE_MAX;

std::span<const std::uint8_t, OAC_FW_KEY_SIZE> dev_firmware_key();
std::span<const std::uint8_t> dev_firmware_image();

} // namespace oac::emu
