// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// BAR0: the registers of OAC_REGS and, as plain storage, the MSI-X table and PBA. Knows which
// accesses are legal and what a register shows; what a write sets off it asks its owner to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <hw/oac_regs.h>

#include "admin.hpp"
#include "board.hpp"
#include "boot_rom.hpp"

namespace oac::emu
{

class registers
{
public:
	registers(board &on, boot_rom &rom, admin &queues, const card_config &config);

	/* false: no such register or width, not readable or writable, or refused in this state. */
	bool read(std::uint64_t offset, std::span<std::byte> to);
	/* reset: the write asked for a reset of the function. */
	bool write(std::uint64_t offset, std::span<const std::byte> from, bool &reset);

	void reset();
	void reset_msix();
	void count_reset() { reset_count_++; }
	std::uint32_t reset_count() const { return reset_count_; }
	void power_on() { reset_count_ = 0; }

private:
	/* A 64-bit register in two halves; what counts is the value when _HI was written. */
	struct pair {
		std::uint32_t low = 0, high = 0;
		std::uint64_t value = 0;

		void write_low(std::uint32_t half) { low = half; }
		void write_high(std::uint32_t half)
		{
			high = half;
			value = std::uint64_t{ high } << 32 | low;
		}
	};

	std::uint32_t value_of(std::uint64_t offset);
	bool set(std::uint64_t offset, std::uint32_t value, bool &reset);
	bool set_admin(std::uint64_t offset, std::uint32_t value);
	bool set_admin_control(std::uint32_t value);
	std::uint32_t protocol() const;
	std::uint32_t heartbeat();
	std::byte *storage(std::uint64_t offset, std::size_t length);

	board &board_;
	boot_rom &rom_;
	admin &admin_;
	const std::uint64_t serial_;
	const std::uint32_t capabilities_;

	std::uint32_t reset_count_ = 0;
	pair boot_address_, admin_sq_, admin_cq_;
	std::uint32_t boot_size_ = 0, admin_depth_ = OAC_ADMIN_DEPTH_MIN;
	std::uint32_t clock_high_ = 0;
	std::uint32_t heartbeat_ = 0; /* shown last */
	std::vector<std::byte> msix_table_; /* an entry for each vector there is */
	alignas(8) std::array<std::byte, OAC_MSIX_VECTORS / 8> msix_pba_{}; /* whole words */
};

} // namespace oac::emu
