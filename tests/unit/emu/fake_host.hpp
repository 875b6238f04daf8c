// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The outside of a card under test: flat host memory at bus address BASE, interrupts that are
// counted, and a clock that the test sets. Windows can be taken away to force the slow path.
#pragma once

#include <cstring>
#include <map>
#include <vector>

#include <model/card.hpp>

namespace oac::emu::test
{

class fake_host : public card_port
{
public:
	static constexpr std::uint64_t BASE = 0x100000000ull;
	static constexpr std::uint64_t SIZE = 64ull << 20;

	std::span<std::byte> dma_window(std::uint64_t addr, std::uint64_t length, access) override
	{
		if (!windows_ || addr < BASE || addr - BASE >= SIZE)
			return {};
		return std::span(memory).subspan(addr - BASE,
						 std::min(length, SIZE - (addr - BASE)));
	}

	bool dma_read(std::uint64_t addr, std::span<std::byte> to) override
	{
		slow_accesses++;
		if (!has(addr, to.size()))
			return false;
		std::memcpy(to.data(), at(addr), to.size());
		return true;
	}

	bool dma_write(std::uint64_t addr, std::span<const std::byte> from) override
	{
		slow_accesses++;
		if (!has(addr, from.size()))
			return false;
		std::memcpy(at(addr), from.data(), from.size());
		return true;
	}

	void interrupt(unsigned vector) override { interrupts[vector]++; }
	std::uint64_t now_ns() override { return now += tick; }

	bool has(std::uint64_t addr, std::uint64_t length) const
	{
		return addr >= BASE && addr - BASE <= SIZE && length <= SIZE - (addr - BASE);
	}
	void set_windows(bool has_windows)
	{
		windows_ = has_windows;
		window_epoch++;
	}
	std::byte *at(std::uint64_t addr) { return memory.data() + (addr - BASE); }

	std::vector<std::byte> memory = std::vector<std::byte>(SIZE);
	std::map<unsigned, unsigned> interrupts;
	std::uint64_t now = 1000000000;
	std::uint64_t tick = 10; /* each look at the clock takes so long */
	unsigned slow_accesses = 0;

private:
	bool windows_ = true;
};

} // namespace oac::emu::test
