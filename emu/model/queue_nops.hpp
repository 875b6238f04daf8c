// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The short way of a queue (see queue.hpp): NOPs at its head, where all that is needed is at hand.
// Inline, because what it does is less than what calls on the way to it would be. Nothing is taken
// on trust here: what is not exactly a NOP is left to the long way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "queue.hpp"

namespace oac::emu
{

inline constexpr std::int64_t COMMAND_COST = 256;

template <typename Word>
void store(std::byte *at, std::size_t offset, Word value, std::memory_order order)
{
	std::atomic_ref(*reinterpret_cast<Word *>(at + offset)).store(value, order);
}

/* A completion's second word but for the tag: with the phase in it, who sees it sees the first. */
inline std::uint64_t ending_of(std::uint16_t status, std::uint16_t phase)
{
	return std::uint64_t{ status } << 32 | std::uint64_t{ phase } << 48;
}
static_assert(offsetof(oac_completion, status) == 12 && offsetof(oac_completion, phase) == 14);

inline void post_at(std::byte *at, std::uint64_t info, std::uint64_t second)
{
	store(at, 0, info, std::memory_order_relaxed);
	store(at, sizeof(info), second, std::memory_order_release);
}

/*
 * The host may go on writing. What is used, the tag, is read exactly once; what is only looked at,
 * the rest, may be read however the compiler likes. entry: aligned to its size.
 */
inline bool is_nop(const std::byte *entry, std::uint32_t &tag)
{
	using half [[gnu::may_alias]] = std::uint32_t;
	using word [[gnu::may_alias]] = std::uint64_t;
	const auto *halves = reinterpret_cast<const half *>(entry);
	const auto *words = reinterpret_cast<const word *>(entry);

	static_assert(OAC_CMD_NOP == 0 && sizeof(oac_cmd) == 8 * sizeof(word));
	static_assert(offsetof(oac_cmd, tag) == sizeof(half));
	/* opcode, flags and padding before the tag, and all of the body, are zero in a NOP */
	const std::uint64_t rest = halves[0] | words[1] | words[2] | words[3] | words[4] |
				   words[5] | words[6] | words[7];
	tag = *const_cast<const volatile half *>(halves + 1);
	return rest == 0 && tag != OAC_TAG_NONE;
}

[[gnu::always_inline]] inline std::int64_t queue::take_nops(std::uint32_t count)
{
	const std::byte *from = hand_.from;
	std::byte *to = hand_.to;
	std::uint32_t done = 0, tag;

	while (done < count && is_nop(from, tag)) {
		post_at(to, 0, hand_.ending | tag);
		from += sizeof(oac_cmd);
		to += sizeof(oac_completion);
		done++;
	}
	if (done == 0)
		return 0;
	hand_.from = from;
	hand_.to = to;
	hand_.count -= done;
	board_.count.add(OAC_COUNTER_COMMANDS, done);
	/* publish() in short: only counts are new */
	const std::uint32_t now = sq_head_ + done;
	store(hand_.tail, 0, now, std::memory_order_release);
	store(hand_.line, 0, progress_counts(now, now), std::memory_order_release);
	sq_head_ = now;
	completed_ = now;
	std::atomic_thread_fence(std::memory_order_seq_cst);
	if (doorbell<std::uint64_t>(OAC_DB_ARM) != arm_word_) [[unlikely]]
		return arm_after(COMMAND_COST * done);
	return COMMAND_COST * done;
}

} // namespace oac::emu
