// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tests that have the card itself read and write: what it sees is the proof of a map.
#pragma once

#include "device.hpp"

namespace oac::abi
{

class card_test : public queue_test
{
protected:
	/* Maps the beginning of a buffer; 0 or the errno. */
	int map(std::uint32_t handle, std::uint64_t where, std::uint64_t size,
		std::uint32_t flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE) const;
	int unmap(std::uint64_t where, std::uint64_t size) const;
	/* By the card, on a queue of its own; waits for it. Returns the command's OAC_ST_*. */
	std::uint32_t copy(std::uint64_t from, std::uint64_t to, std::uint64_t size) const;
	std::uint32_t fill(std::uint64_t at, std::uint64_t size, std::uint64_t pattern) const;
	/* Local memory, or 0 with a failure. */
	std::uint32_t local_buffer(std::uint64_t size, std::uint64_t *mmap_offset = nullptr) const;
	/* Does the card have local memory that it can hand out? */
	bool has_local() const;

private:
	std::uint32_t run(const oac_cmd &cmd) const;
};

} // namespace oac::abi
