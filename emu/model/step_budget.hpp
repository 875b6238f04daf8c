// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How much one step of the card may still do, in units of about one copied byte. A piece of work
// that is bigger than the rest is only begun by a step that has done nothing else: so the results
// of small commands are published before a long one starts.
#pragma once

#include <cstdint>

namespace oac::emu
{

class step_budget
{
public:
	static constexpr std::int64_t UNITS = std::int64_t{ 1 } << 20;

	bool is_spent() const { return left_ <= 0; }

	/* false: not in this step. */
	bool take(std::int64_t cost)
	{
		if (cost > left_ && left_ < UNITS) {
			left_ = 0;
			return false;
		}
		left_ -= cost;
		return true;
	}

	/* Engine time that went into operators in this step. */
	std::uint64_t compute_ns = 0;

private:
	std::int64_t left_ = UNITS;
};

} // namespace oac::emu
