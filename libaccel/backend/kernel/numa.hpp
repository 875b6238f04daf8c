// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Places memory near the card, as a preference: where NUMA is not there, all of this is nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace accel::kernel
{

/* Makes this thread allocate on a node, if it can, for as long as it lives. node -1: as it is. */
class numa_preference
{
public:
	explicit numa_preference(std::int32_t node) noexcept;
	numa_preference(const numa_preference &) = delete;
	numa_preference &operator=(const numa_preference &) = delete;
	~numa_preference();

private:
	std::array<unsigned long, 16> saved_mask_{};
	int saved_mode_ = 0;
	bool active_ = false;
};

/* The same for pages of a mapping that come at first touch. */
void numa_prefer(void *memory, std::size_t size, std::int32_t node) noexcept;

} // namespace accel::kernel
