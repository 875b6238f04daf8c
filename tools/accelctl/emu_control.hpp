// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The control socket of an emulated card: one request, one reply, each a JSON object on a line. It
// is beside the card's own socket, with another ending.
#pragma once

#include <string>

#include "report.hpp"

namespace accelctl
{

/// Of a card's name, "socket:DIR/card0.sock". Throws failure for cards that have none.
std::string control_path_of(const std::string &card);

/// The reply; throws failure if nobody answers, or with why the request was refused.
tree ask_emulator(const std::string &path, const tree &request);

} // namespace accelctl
