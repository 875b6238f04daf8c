// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What SELF_TEST does: every engine computes products whose answers are known, by the code that
// computes operators. Integer answers are compared bit by bit.
#pragma once

#include <cstdint>

#include "board.hpp"

namespace oac::emu
{

/* Bit n: engine n gave a wrong answer. Firmware runs. */
std::uint64_t test_engines(board &on);

} // namespace oac::emu
