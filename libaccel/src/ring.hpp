// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The rings of one queue, host side: claim an entry, fill it, publish, ring the doorbell, reap. This
// is the whole data path: no lock, no allocation, no system call, no exception. It knows the card's
// contract (hw/oac_queue.h) and plain memory, not the backend.
//
// Three counts, all free-running 32-bit numbers: tail_ (written), rung_ (handed to the card), head_
// (reaped); head_ <= published tail of the card <= rung_ <= tail_ <= head_ + depth.
//
// Two sides, each used by one thread at a time (queue.hpp has a lock for each): submission writes
// tail_ and rung_, reaping writes head_. What they read of each other: is_full() head_, whose
// acquire orders the reading of completions before the next commands, which let the card overwrite
// them; is_credible() rung_, which went out before the card could answer. The counts are atomic for
// that, and for those who only look; no store here is a read-modify-write.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <hw/oac_ops.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace accel
{

/*
 * The only accesses to doorbell pages: one store or load of that width each. Atomic, too: ASLEEP is
 * written and read by several threads of ours where it is memory.
 */
inline void mmio_store32(std::byte *at, std::uint32_t value) noexcept
{
	__atomic_store_n(reinterpret_cast<volatile std::uint32_t *>(at), value, __ATOMIC_RELAXED);
}

inline void mmio_store64(std::byte *at, std::uint64_t value) noexcept
{
	__atomic_store_n(reinterpret_cast<volatile std::uint64_t *>(at), value, __ATOMIC_RELAXED);
}

inline std::uint32_t mmio_load32(const std::byte *at) noexcept
{
	return __atomic_load_n(reinterpret_cast<const volatile std::uint32_t *>(at),
			       __ATOMIC_RELAXED);
}

/* Where things are in a queue's memory, one buffer: SQ | operators | CQ | published tail. */
class ring_layout
{
public:
	explicit constexpr ring_layout(std::size_t depth) noexcept : depth_(depth) {}
	constexpr std::size_t ops() const noexcept { return depth_ * sizeof(oac_cmd); }
	constexpr std::size_t cq() const noexcept { return ops() + depth_ * sizeof(oac_op); }
	constexpr std::size_t tail() const noexcept
	{
		const std::size_t line = sizeof(oac_cq_tail);
		return cq() + (depth_ * sizeof(oac_completion) + line - 1) / line * line;
	}
	constexpr std::size_t size() const noexcept
	{
		return (tail() + sizeof(oac_cq_tail) + OAC_PAGE_SIZE - 1) &
		       ~std::size_t{ OAC_PAGE_SIZE - 1 };
	}

private:
	std::size_t depth_;
};

class ring
{
public:
	/*
	 * depth is a power of two; memory (zeroed, ring_layout) is at device address va. The counts
	 * of a new queue start at 0; tests start them near the end of their range.
	 */
	ring(std::byte *memory, std::uint64_t va, std::uint32_t depth, std::byte *doorbell,
	     bool is_shared, std::uint32_t start = 0) noexcept
		: sq_(reinterpret_cast<oac_cmd *>(memory)),
		  cq_(reinterpret_cast<oac_completion *>(memory + ring_layout(depth).cq())),
		  card_tail_(reinterpret_cast<oac_cq_tail *>(memory + ring_layout(depth).tail())),
		  ops_(reinterpret_cast<oac_op *>(memory + ring_layout(depth).ops())),
		  doorbell_(doorbell), ops_va_(va + ring_layout(depth).ops()), mask_(depth - 1),
		  is_shared_(is_shared), tail_(start), rung_(start), full_at_(start + depth),
		  head_(start)
	{
	}

	/* Looks at the other side's line only when the ring is full as of the last look. */
	bool is_full(std::uint32_t at) noexcept
	{
		if (at != full_at_) [[likely]]
			return false;
		full_at_ = head() + mask_ + 1;
		return at == full_at_;
	}
	/* The entry at the tail, zeroed, to be filled in place; not when full. Then push() it. */
	oac_cmd &entry(std::uint32_t at) noexcept
	{
		oac_cmd &cmd = sq_[at & mask_];
		cmd = {};
		return cmd;
	}
	void push(std::uint32_t at) noexcept { tail_.store(at + 1, std::memory_order_relaxed); }
	/* The operator descriptor of the next entry, zeroed, and its device address. */
	oac_op &next_op() noexcept
	{
		oac_op &op = ops_[tail() & mask_];
		op = {};
		return op;
	}
	std::uint64_t next_op_va() const noexcept
	{
		return ops_va_ + (tail() & mask_) * sizeof(oac_op);
	}

	/*
	 * Publishes what was pushed, count = tail(). true: the card sleeps, and the caller repeats the store as a
	 * trapped write of rung(). The release orders the entries before the doorbell (the card
	 * loads the doorbell with acquire). Where the card may sleep, the exchange is also the full
	 * fence between the doorbell and the look at ASLEEP (the card sets ASLEEP, fences and looks
	 * at the doorbell once more).
	 */
	bool ring_doorbell(std::uint32_t count) noexcept
	{
		rung_.store(count, std::memory_order_relaxed);
		std::byte *const page = doorbell_;
		if (!is_shared_) {
			std::atomic_thread_fence(std::memory_order_release);
			mmio_store32(page + OAC_DB_SQ_TAIL, count);
			return false;
		}
		word(page + OAC_DB_SQ_TAIL).exchange(count, std::memory_order_seq_cst);
		return word(page + OAC_DB_ASLEEP).load(std::memory_order_seq_cst) != 0;
	}
	/* The doorbell was refused: all since count is not with the card. */
	void take_back(std::uint32_t count) noexcept
	{
		rung_.store(count, std::memory_order_relaxed);
	}
	/* The same for the word that asks for an interrupt. */
	bool ring_arm(std::uint64_t word) noexcept
	{
		mmio_store64(doorbell_ + OAC_DB_ARM, word);
		if (is_shared_)
			return is_card_asleep();
		std::atomic_thread_fence(std::memory_order_seq_cst);
		return false;
	}

	/* Completions posted and not reaped, as the card says. */
	std::uint32_t ready() const noexcept
	{
		/* head_ first, for those who only look: what is published is never behind it. */
		const std::uint32_t from = head();
		return published() - from;
	}
	/* The card's word: the acquire orders it before the completions' entries. */
	std::uint32_t published() const noexcept
	{
		return std::atomic_ref<__le32>(card_tail_->tail).load(std::memory_order_acquire);
	}
	/* Whether that many can be: more than were handed over means that the ring cannot be used. */
	bool is_credible(std::uint32_t ready_now, std::uint32_t from) const noexcept
	{
		return ready_now <= rung() - from;
	}
	const oac_completion &completion(std::uint32_t at) const noexcept
	{
		return cq_[at & mask_];
	}
	/* Of a command not yet reaped. */
	std::uint32_t tag(std::uint32_t at) const noexcept { return sq_[at & mask_].tag; }
	/* Is the completion of the command at its place? Of too high a doorbell it is of none. */
	bool is_due(std::uint32_t at) const noexcept
	{
		const oac_completion &from = completion(at);
		return from.tag == tag(at) ||
		       (from.tag == OAC_TAG_NONE && from.status == OAC_ST_DOORBELL);
	}
	/* All before that count may be written anew. */
	void release(std::uint32_t to) noexcept { head_.store(to, std::memory_order_release); }

	/*
	 * For who owns both sides of a queue that the card has let go of: as if it had published all up
	 * to a count that is at most the tail, and these had been reaped.
	 */
	void skip(std::uint32_t to) noexcept
	{
		if (static_cast<std::int32_t>(to - rung()) > 0)
			rung_.store(to, std::memory_order_relaxed);
		std::atomic_ref<__le32>(card_tail_->tail).store(to, std::memory_order_release);
		release(to);
	}

	/* Each for who owns that side. */
	std::uint32_t tail() const noexcept { return tail_.load(std::memory_order_relaxed); }
	std::uint32_t own_head() const noexcept { return head_.load(std::memory_order_relaxed); }
	std::uint32_t head() const noexcept { return head_.load(std::memory_order_acquire); }
	std::uint32_t rung() const noexcept { return rung_.load(std::memory_order_relaxed); }
	/* Right for who owns a side; for others what was so a moment ago, at most depth. */
	std::uint32_t outstanding() const noexcept
	{
		const std::uint32_t from = head();
		return std::min(tail() - from, mask_ + 1);
	}
	/* Handed to the card and not reaped. */
	bool is_waiting() const noexcept { return rung() != head(); }

	/*
	 * In the child of a fork, where the rings' memory is not: full for submission, empty for
	 * reaping, and neither is looked at in memory again.
	 */
	void abandon() noexcept
	{
		static oac_cq_tail nothing{};
		card_tail_ = &nothing;
		full_at_ = mask_ + 1;
		head_.store(0, std::memory_order_relaxed);
		rung_.store(0, std::memory_order_relaxed);
		tail_.store(mask_ + 1, std::memory_order_relaxed);
	}

private:
	bool is_card_asleep() const noexcept
	{
		std::atomic_thread_fence(std::memory_order_seq_cst);
		return mmio_load32(doorbell_ + OAC_DB_ASLEEP) != 0;
	}

	static std::atomic_ref<std::uint32_t> word(std::byte *at) noexcept
	{
		return std::atomic_ref(*reinterpret_cast<std::uint32_t *>(at));
	}
	static constexpr std::size_t LINE = 64;

	oac_cmd *sq_;
	oac_completion *cq_;
	oac_cq_tail *card_tail_;
	oac_op *ops_;
	std::byte *doorbell_;
	std::uint64_t ops_va_;
	std::uint32_t mask_;
	bool is_shared_;
	alignas(LINE) std::atomic<std::uint32_t> tail_;	/* the submission side writes */
	std::atomic<std::uint32_t> rung_;
	std::uint32_t full_at_;	/* the tail with which the ring was full when last looked at */
	alignas(LINE) std::atomic<std::uint32_t> head_;	/* the reaping side writes */
};

} // namespace accel
