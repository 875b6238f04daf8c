// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A device coredump of the oac module, in values. Every size and count in it is checked: a file is
// from anywhere.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "report.hpp"

namespace accelctl
{

/// Throws failure(check_failed) for what is no dump, or is damaged. name: of the file.
tree read_dump(std::span<const std::byte> file, const std::string &name);

} // namespace accelctl
