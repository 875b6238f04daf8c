// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A driver may take a buffer's pages when it creates it, in the caller's context and by the
// caller's memory policy, or at first touch, by the mapping's: both are set, and only preferred, as
// memory far away works too.
#include "numa.hpp"

#include <climits>

#include <numa.h>
#include <numaif.h>

namespace accel::kernel
{

namespace
{

constexpr std::size_t BITS = sizeof(unsigned long) * CHAR_BIT;

using node_mask = std::array<unsigned long, 16>;
constexpr unsigned long MASK_BITS = std::tuple_size_v<node_mask> * BITS;

bool mask_of(std::int32_t node, node_mask *mask) noexcept
{
	if (node < 0 || static_cast<std::size_t>(node) >= MASK_BITS || numa_available() < 0 ||
	    node > numa_max_node())
		return false;
	auto bit = static_cast<std::size_t>(node);
	(*mask)[bit / BITS] = 1ul << (bit % BITS);
	return true;
}

} // namespace

numa_preference::numa_preference(std::int32_t node) noexcept
{
	node_mask mask{};

	if (!mask_of(node, &mask) ||
	    get_mempolicy(&saved_mode_, saved_mask_.data(), MASK_BITS, nullptr, 0) != 0)
		return;
	active_ = set_mempolicy(MPOL_PREFERRED, mask.data(), MASK_BITS) == 0;
}

numa_preference::~numa_preference()
{
	if (active_)
		set_mempolicy(saved_mode_, saved_mask_.data(), MASK_BITS);
}

void numa_prefer(void *memory, std::size_t size, std::int32_t node) noexcept
{
	node_mask mask{};

	/* A mapping that takes no policy refuses: then its driver decides alone. */
	if (mask_of(node, &mask))
		static_cast<void>(mbind(memory, size, MPOL_PREFERRED, mask.data(), MASK_BITS, 0));
}

} // namespace accel::kernel
