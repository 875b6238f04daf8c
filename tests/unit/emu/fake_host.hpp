// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The outside of a card under test: flat host memory at bus address BASE, interrupts that are
// counted, and a clock that the test sets. Windows can be taken away to force the slow path. Outside
// of it there may be boards: memory that comes and goes, see plug().
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include <sys/mman.h>

#include <model/card.hpp>

namespace oac::emu::test
{

class fake_host : public card_port
{
public:
	static constexpr std::uint64_t BASE = 0x100000000ull;
	static constexpr std::uint64_t SIZE = 64ull << 20;

	~fake_host() override
	{
		for (const board_memory &one : boards_)
			munmap(one.at, one.size);
	}

	std::span<std::byte> dma_window(std::uint64_t addr, std::uint64_t length, access) override
	{
		if (const board_memory *hit = find(addr, 1); hit && hit->has_window)
			return { hit->at + (addr - hit->address),
				 std::min(length, hit->size - (addr - hit->address)) };
		if (!windows_ || addr < BASE || addr - BASE >= SIZE)
			return {};
		return std::span(memory).subspan(addr - BASE,
						 std::min(length, SIZE - (addr - BASE)));
	}

	bool dma_read(std::uint64_t addr, std::span<std::byte> to) override
	{
		slow_accesses++;
		if (on_message)
			on_message();
		if (!has(addr, to.size()))
			return false;
		std::memcpy(to.data(), at(addr), to.size());
		return true;
	}

	bool dma_write(std::uint64_t addr, std::span<const std::byte> from) override
	{
		slow_accesses++;
		if (on_message)
			on_message();
		if (!has(addr, from.size()))
			return false;
		std::memcpy(at(addr), from.data(), from.size());
		return true;
	}

	void interrupt(unsigned vector) override
	{
		interrupts[vector]++;
		if (on_interrupt)
			on_interrupt(vector);
	}
	std::uint64_t now_ns() override { return now += tick; }
	void pause(std::uint64_t ns) override { now += ns; }

	bool has(std::uint64_t addr, std::uint64_t length) const
	{
		return find(addr, length) ||
		       (addr >= BASE && addr - BASE <= SIZE && length <= SIZE - (addr - BASE));
	}
	void set_windows(bool has_windows)
	{
		windows_ = has_windows;
		window_epoch++;
	}
	std::byte *at(std::uint64_t addr)
	{
		const board_memory *hit = find(addr, 1);
		return hit ? hit->at + (addr - hit->address) : memory.data() + (addr - BASE);
	}

	/* Zeroed memory at a bus address; without a window it is reached by messages. */
	void plug(std::uint64_t addr, std::uint64_t size, bool has_window = true)
	{
		void *fresh = mmap(nullptr, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (fresh == MAP_FAILED)
			std::abort();
		boards_.push_back({ addr, size, static_cast<std::byte *>(fresh), has_window });
		window_epoch++;
	}
	/* Takes it away: from now on a touch of what was there is a SIGSEGV. */
	void unplug(std::uint64_t addr)
	{
		for (board_memory &one : boards_) {
			if (one.is_there && one.address == addr) {
				one.is_there = false;
				mprotect(one.at, one.size, PROT_NONE);
			}
		}
		window_epoch++;
	}

	std::vector<std::byte> memory = std::vector<std::byte>(SIZE);
	std::map<unsigned, unsigned> interrupts;
	std::uint64_t now = 1000000000;
	std::uint64_t tick = 10; /* each look at the clock takes so long */
	unsigned slow_accesses = 0;
	std::function<void(unsigned)> on_interrupt;
	std::function<void()> on_message; /* what else happens while one is on its way */

private:
	struct board_memory {
		std::uint64_t address, size;
		std::byte *at;
		bool has_window;
		bool is_there = true;
	};

	const board_memory *find(std::uint64_t addr, std::uint64_t length) const
	{
		for (const board_memory &one : boards_) {
			if (one.is_there && addr - one.address < one.size &&
			    length <= one.size - (addr - one.address))
				return &one;
		}
		return nullptr;
	}

	std::vector<board_memory> boards_;
	bool windows_ = true;
};

} // namespace oac::emu::test
