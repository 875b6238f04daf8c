// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One process that uses everything a card's node offers, as fast as it can, until it is killed. Each
// result is verified: what goes wrong ends it with a line on standard error.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace stress
{

/// What the workers have done, in memory that they share with who started them.
struct tally {
	std::atomic<std::uint64_t> opens, commands, local, userptr, exports, imports, fences,
		stores, waits, eventfds, gone;
};

struct job {
	std::vector<std::string> nodes;	/* empty: whichever there are */
	std::uint32_t seed;
	int to_others, from_others;	/* a socket that all workers send dma-bufs to each other by */
	bool may_lose_card;		/* that is then no error: it opens again */
	tally *done;
	int commands_done;		/* an eventfd: signalled whenever there are more of them */
};

/// Never returns.
[[noreturn]] void work(const job &what);

} // namespace stress
