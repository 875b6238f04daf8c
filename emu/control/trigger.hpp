// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// When something is done to a card: at once, at a time, or at the Nth of what happens in it. And
// the numbers that are drawn for it: the same seed gives the same ones.
#pragma once

#include <cstdint>
#include <optional>

#include "catalogue.hpp"

namespace oac::emu::control
{

/* SplitMix64 (Steele, Lea, Flood 2014). */
class dice
{
public:
	explicit dice(std::uint64_t seed) : state_(seed) {}

	std::uint64_t next()
	{
		std::uint64_t z = state_ += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		return z ^ z >> 31;
	}
	/* true with this probability, 0..1. */
	bool has_hit(double probability)
	{
		constexpr double whole = 18446744073709551616.0; /* 2^64 */

		return probability >= 1 || static_cast<double>(next()) < probability * whole;
	}

private:
	std::uint64_t state_;
};

struct trigger {
	happening on = happening::none; /* none: by time */
	std::uint64_t nth = 1;
	std::optional<std::uint64_t> after_ns; /* nothing: at once */
};

/* Where something happens; what is not known is not compared. */
struct place {
	std::optional<unsigned> queue = std::nullopt, context = std::nullopt;
	std::optional<unsigned> opcode = std::nullopt, vector = std::nullopt;

	/* Does a fault that names these care? */
	bool fits(const arguments &wanted) const;
};

} // namespace oac::emu::control
