// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Which cards there are and what they may be called. Reads the environment (ACCEL_EMU,
// ACCEL_SOCKETS) and asks the backends; opens nothing but what is to be opened.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend.hpp"

namespace accel
{

constexpr unsigned EMULATED_MAX = 64;

/* What a name looks like, before any card is looked for. */
struct card_name {
	enum class form { index, emulated, socket, path, pci_address, serial, unknown };
	form kind = form::unknown;
	std::uint64_t number = 0;	/* index, emulated, serial */
	std::string text;		/* socket and path; pci_address in full form and lower case */
};

card_name parse_name(const std::string &name);

/* ACCEL_EMU: how many emulated cards; nothing when unset (nullptr). Throws EINVAL. */
std::optional<unsigned> parse_emulated(const char *value);

/* ACCEL_EMU's cards alone, else the kernel's and those of ACCEL_SOCKETS. */
std::vector<listed_card> list_cards();

/* nullptr: the first card. Throws ENODEV and what the backends throw. */
std::unique_ptr<backend> open_by_name(const char *name);

} // namespace accel
