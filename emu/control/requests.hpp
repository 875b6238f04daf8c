// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Requests to the injector of one card, as JSON objects in text: what the control socket, programs
// with a card inside and scenario files say. See docs/emulator.md. What is wrong with a request is
// in the reply, with what would be right; nothing is done then.
#pragma once

#include <string>
#include <string_view>

#include "injector.hpp"

namespace oac::emu::control
{

/* The reply, one JSON object on one line; empty: the request is no JSON object. */
std::string answer(injector &to, std::string_view request);

} // namespace oac::emu::control
