// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Free and taken ranges of an address space, best fit: device addresses of a context, and bus
// addresses and local memory of the direct backend. Knows no maps and no card. Not locked: its
// owner is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace accel
{

class address_space
{
public:
	/* [first, end); what is below first is never given out. */
	address_space(std::uint64_t first, std::uint64_t end);
	/*
	 * A range of that size at a multiple of alignment, a power of two: from the smallest free
	 * range that holds it, of equal ones the lowest, as low in it as can be.
	 */
	std::optional<std::uint64_t> take(std::uint64_t size, std::uint64_t alignment);
	/* start as given by take(). Returns the size of the range; 0: there is none. */
	std::uint64_t give(std::uint64_t start) noexcept;
	/* 0: not the start of a taken range. */
	std::uint64_t size_at(std::uint64_t start) const;
	std::size_t count() const { return taken_.size(); }
	/* Bytes of all taken ranges. */
	std::uint64_t used() const { return used_; }

private:
	struct hole {
		std::uint64_t start;
		std::uint64_t size;
		std::uint64_t fit;	/* the aligned start in it */
	};
	std::optional<hole> find(std::uint64_t size, std::uint64_t alignment) const;
	void add_hole(std::uint64_t start, std::uint64_t size);
	void remove_hole(std::uint64_t start, std::uint64_t size);

	std::map<std::uint64_t, std::uint64_t> taken_;	/* start -> size */
	std::map<std::uint64_t, std::uint64_t> holes_;	/* the same; no two touch each other */
	std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_; /* the same: size, start */
	std::uint64_t used_ = 0;
};

} // namespace accel
