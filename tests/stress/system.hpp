// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the system says of cards and memory: nodes, object counts in debugfs, /proc/meminfo.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stress
{

/// Nodes of all cards.
std::vector<std::string> nodes();
/// PCI address of a node's card.
std::string address_of(const std::string &node);

/// Every count of every card, as "address/kind"; empty without debugfs.
using counts = std::map<std::string, std::int64_t>;
counts object_counts();
/// What differs, for a message; empty: nothing.
std::string difference(const counts &expected, const counts &found);

struct memory {
	std::int64_t available_kib, unreclaimable_kib;
};
/// After caches that may shrink have been asked to.
memory settled_memory();
/* Until so much is there, for a minute at most: processors let go of free pages they keep by and by. */
memory wait_for_memory(std::int64_t available_kib);

/// Seconds that a test of this kind runs: OAC_STRESS_SECONDS, else 60.
unsigned seconds();
std::uint32_t seed();

} // namespace stress
