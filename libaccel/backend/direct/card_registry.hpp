// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The cards this process drives, one card object per card however often it is opened. A card behind
// a socket is let go with its last handle; an emulated one, once started, lives until the process
// ends, so that its firmware stays loaded between opens as on real hardware.
#pragma once

#include <memory>
#include <string>

#include "backend.hpp"
#include "card.hpp"

namespace accel::direct
{

/* "emu:N" or "socket:PATH". */
std::shared_ptr<card> open_card(const std::string &name);
/* A handle on it: what a device of the API is made of. */
std::unique_ptr<backend> handle_on(std::shared_ptr<card> opened);

} // namespace accel::direct
