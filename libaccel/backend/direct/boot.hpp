// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The boot handshake with a card's ROM: reset, hand over an image, follow the states to the end. Owns
// nothing; needs the bus and memory for the image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bus.hpp"
#include "host_memory.hpp"

namespace accel::direct
{

/* Where an image comes from; nothing in bytes: the card's flash. */
struct boot_image {
	std::string source;	/* for texts */
	std::optional<std::vector<std::byte>> bytes;
};

/* $ACCEL_FIRMWARE, else /lib/firmware/oac/oac1.fw, else flash. Throws if the first is unreadable. */
boot_image choose_image();

/* Throws ENODEV, EPROTO: not a card this library can drive. */
void check_card(bus &card, const std::string &name);
/* To state ROM; everything on the card is gone then. Nothing is done in state ROM. Has a time limit
 * of its own, within the caller's patience. Throws as the next does. */
void reset_card(bus &card, const std::string &name);
/*
 * The same from any state, by its register or as a PCI function. Throws ETIMEDOUT, ENODEV, EIO: the
 * card ignores it, which is known at once.
 */
enum class reset_way { by_register, of_function };
void bring_to_rom(bus &card, const std::string &name, reset_way way, std::int64_t deadline);
/*
 * Boots from state ROM or FAILED; bytes empty: from flash. Returns OAC_FAIL_NONE when it runs, or
 * the card's reason. Throws ETIMEDOUT, ENODEV, EPROTO.
 */
std::uint32_t boot_card(bus_addresses &addresses, const std::string &name,
			std::optional<std::span<const std::byte>> bytes, std::int64_t deadline);

} // namespace accel::direct
