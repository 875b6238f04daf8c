// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The module's count of everything it has, from debugfs: a test compares before and after.
#pragma once

#include <map>
#include <string>

namespace oac::abi
{

/* Key to count, for the card behind a node; empty where debugfs cannot be read. */
std::map<std::string, long> objects(const std::string &node);

/* PCI address of the card behind a node. */
std::string pci_address(const std::string &node);

} // namespace oac::abi
