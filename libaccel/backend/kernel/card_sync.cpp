// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fences of a card behind the oac module: DRM syncobjs and sync_files, out and in.
#include "card.hpp"

#include <cerrno>

#include "../../src/error.hpp"

namespace accel::kernel
{

void card::queue_fence(std::uint32_t, std::uint32_t, int, std::uint64_t)
{
	fail(EOPNOTSUPP, "make a fence");
}

int card::queue_sync_file(std::uint32_t, std::uint32_t)
{
	fail(EOPNOTSUPP, "make a sync_file");
}

void card::follow_syncobj(const buffer_memory &, std::size_t, std::uint64_t, int, std::uint64_t)
{
	fail(EOPNOTSUPP, "follow a syncobj");
}

void card::follow_sync_file(const buffer_memory &, std::size_t, std::uint64_t, int)
{
	fail(EOPNOTSUPP, "follow a sync_file");
}

} // namespace accel::kernel
