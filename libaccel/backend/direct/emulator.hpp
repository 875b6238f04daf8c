// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Emulated cards in this process: finds and loads libaccel-emu (accel/accel_emu.h), starts and stops
// cards. The library stays loaded for the life of the process.
#pragma once

#include <memory>

#include <accel/accel_emu.h>

#include "unique_fd.hpp"

namespace accel::direct
{

/* A card's thread and state; stopped with this. */
class emulated_card
{
public:
	/* Throws ENODEV (no libaccel-emu) or why it does not start. socket: our end. */
	emulated_card(unsigned index, unique_fd &socket);
	emulated_card(const emulated_card &) = delete;
	emulated_card &operator=(const emulated_card &) = delete;
	~emulated_card();

private:
	accel_emu_card *card_ = nullptr;
};

} // namespace accel::direct
