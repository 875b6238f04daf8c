// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whole files in and out, for images, manifests and keys. All of them throw oac::fw::error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace oac::fw
{

using bytes = std::vector<std::uint8_t>;

/// Reads a file of at most max bytes; EFBIG if it is longer.
bytes read_file(const std::string &path, std::size_t max);

/// Replaces a file as a whole: readers see the old or the new content, never half of it.
void replace_file(const std::string &path, std::span<const std::uint8_t> content);

/// Makes a file that must not exist yet (EEXIST), with these permissions from the first moment.
void create_file(const std::string &path, std::span<const std::uint8_t> content, unsigned mode);

} // namespace oac::fw
