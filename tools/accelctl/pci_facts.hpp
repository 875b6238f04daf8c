// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the PCI bus of this host knows about a card.
#pragma once

#include <string>

#include "report.hpp"

namespace accelctl
{

/// Vendor and device by name, link speed and width, NUMA node, driver of "0000:03:00.0". What
/// cannot be read is null with a reason.
tree pci_facts(const std::string &address);

} // namespace accelctl
