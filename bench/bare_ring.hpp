// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The least that a command ring can cost: a 64-byte command, a doorbell, a 16-byte completion, and a
// "card" that does nothing but complete. What libaccel's own figures are divided by. It knows
// nothing of this project's rings and checks nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

namespace bench
{

class bare_ring
{
public:
	static constexpr std::uint32_t SIZE = 256;

	/* Host. */
	void write(std::uint64_t id)
	{
		command &next = commands_[tail_ % SIZE];
		next = { { id, 0x1000, 0x2000, 4096, 0, 0, 0, id } };
		tail_++;
	}
	void ring() { doorbell_.value.store(tail_, std::memory_order_release); }
	/* One completion by its phase bit. */
	bool reap(std::uint64_t &id)
	{
		const completion &next = completions_[head_ % SIZE];
		if (next.phase.load(std::memory_order_acquire) != phase(head_))
			return false;
		id = next.id;
		head_++;
		return true;
	}
	/* All completions up to the published tail. */
	std::uint32_t reap_published(std::uint64_t &sum)
	{
		const std::uint32_t tail = published_.value.load(std::memory_order_acquire);
		const std::uint32_t count = tail - head_;
		for (; head_ != tail; head_++)
			sum += completions_[head_ % SIZE].id;
		return count;
	}

	/* Card: takes what the doorbell shows; returns how many. */
	std::uint32_t work()
	{
		const std::uint32_t tail = doorbell_.value.load(std::memory_order_acquire);
		const std::uint32_t count = tail - done_;
		for (; done_ != tail; done_++) {
			completion &next = completions_[done_ % SIZE];
			const command &from = commands_[done_ % SIZE];
			next.id = from.words[7];
			next.result = static_cast<std::uint32_t>(from.words[3]);
			next.phase.store(phase(done_), std::memory_order_release);
		}
		return count;
	}
	void publish() { published_.value.store(done_, std::memory_order_release); }

private:
	struct alignas(64) command {
		std::uint64_t words[8];
	};
	struct alignas(16) completion {
		std::uint64_t id;
		std::atomic<std::uint32_t> phase;
		std::uint32_t result;
	};
	struct alignas(64) line {
		std::atomic<std::uint32_t> value{ 0 };
	};
	static std::uint32_t phase(std::uint32_t count) { return ((count / SIZE) & 1) ^ 1; }

	alignas(64) command commands_[SIZE]{};
	alignas(64) completion completions_[SIZE]{};
	line doorbell_, published_;
	alignas(64) std::uint32_t tail_ = 0;
	std::uint32_t head_ = 0;
	alignas(64) std::uint32_t done_ = 0;
};

} // namespace bench
