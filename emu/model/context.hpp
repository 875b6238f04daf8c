// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A context: one isolated 48-bit device address space, made of mapped segments, and the accesses
// that commands of its queues make in it. Every byte a user names goes through resolve(); nothing
// outside the segments can be reached, read-only ones cannot be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <hw/oac_admin.h>

#include "board.hpp"
#include "outcome.hpp"

namespace oac::emu
{

class context
{
public:
	context(std::uint32_t number, board &on, std::uint32_t client = 0)
		: id(number), group(client), board_(on)
	{
	}

	/* Both all or nothing; OAC_ST_*. The segments lie one behind the other from va on. */
	std::uint16_t map(std::uint64_t va, std::span<const oac_segment> segments,
			  std::uint32_t flags);
	std::uint16_t unmap(std::uint64_t va, std::uint64_t length);

	/* Is all of it mapped with the right asked for? info: the first byte that is not. */
	outcome check(std::uint64_t va, std::uint64_t length, access kind) const;

	/*
	 * Memory at va as far as it is direct and contiguous, at most length; empty if none is.
	 * Valid until the end of the step. The caller counts traffic with count_traffic().
	 */
	outcome window(std::uint64_t va, std::uint64_t length, access kind,
		       std::span<std::byte> &direct) const;

	outcome read(std::uint64_t va, std::span<std::byte> to) const;
	outcome write(std::uint64_t va, std::span<const std::byte> from) const;
	outcome copy(std::uint64_t dst, std::uint64_t src, std::uint64_t length) const;

	/* Counts bytes of the range that are in host memory; the range is mapped. */
	void count_traffic(std::uint64_t va, std::uint64_t length, access kind) const;

	/* Pages of local memory have lost their data, or have it again. */
	void note_poison();
	/* To those who watch for faults: what of the range is in host memory. */
	void tell_host_memory(std::uint64_t va, std::uint64_t length) const;

	const std::uint32_t id;
	const std::uint32_t group; /* contexts of one client; 0: a client of its own */
	unsigned queue_count = 0;

private:
	struct segment {
		std::uint64_t va, length, target;
		std::uint32_t flags; /* without READ while a page in it is poisoned */
		std::uint32_t rights; /* as given */
	};
	/* A stretch that is contiguous on the other side too. */
	struct piece {
		bool local;
		std::uint64_t target, length;
	};

	const segment *find(std::uint64_t va) const;
	outcome resolve(std::uint64_t va, std::uint64_t length, access kind, piece &found) const;
	void take_rights(segment &of) const;
	outcome resolve_rarely(const segment &at, std::uint64_t va, std::uint64_t length,
			       access kind, piece &found) const;
	bool is_valid_target(const oac_segment &given, std::uint32_t flags) const;
	std::span<std::byte> direct_of(const piece &found, access kind) const;

	board &board_;
	std::vector<segment> segments_; /* by va, without overlap */
	mutable std::size_t last_hit_ = 0;
};

} // namespace oac::emu
