// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Free and taken ranges of a 48-bit address space, first fit: device addresses of a context, and
// bus addresses of the direct backend. Knows no maps and no card. Not locked: its owner is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace accel
{

class address_space
{
public:
	/* [first, end), neither of them 0; what is below first is never given out. */
	address_space(std::uint64_t first, std::uint64_t end) : first_(first), end_(end) {}
	/* The lowest free range of that size at a multiple of alignment, a power of two. */
	std::optional<std::uint64_t> take(std::uint64_t size, std::uint64_t alignment);
	/* start as given by take(). Returns the size of the range; 0: there is none. */
	std::uint64_t give(std::uint64_t start);
	/* 0: not the start of a taken range. */
	std::uint64_t size_at(std::uint64_t start) const;
	std::size_t count() const { return taken_.size(); }

private:
	std::uint64_t first_;
	std::uint64_t end_;
	std::map<std::uint64_t, std::uint64_t> taken_;	/* start -> size */
};

} // namespace accel
