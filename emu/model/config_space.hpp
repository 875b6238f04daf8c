// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Configuration space of a PCIe v2 endpoint: 4096 bytes of values, each bit read-only, writable or
// cleared by writing one. What the host writes has no effect on the card, but for FLR.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "card.hpp"

namespace oac::emu
{

class config_space
{
public:
	static constexpr std::size_t SIZE = 4096;
	/* Where the capabilities stand; each list ends with 0. */
	static constexpr std::size_t PM = 64, MSIX = 80, EXPRESS = 112;
	static constexpr std::size_t AER = 256, DSN = 336;

	struct bar_sizes {
		std::uint64_t regs, lmem, doorbell;
	};

	config_space(const bar_sizes &bars, const card_config &config);

	bool read(std::uint64_t offset, std::span<std::byte> to) const;
	/* flr: the write asked for a function level reset. */
	bool write(std::uint64_t offset, std::span<const std::byte> from, bool &flr);

	/* Back to the values at power-on; a bus reset keeps error status, which is sticky. */
	void reset(bool keep_sticky);

	/* An error of the link, seen by the card: PCI_ERR_UNC_* and PCI_ERR_COR_*. */
	void log_error(std::uint32_t uncorrectable, std::uint32_t correctable);

private:
	void field(std::size_t offset, std::size_t size, std::uint64_t value,
		   std::uint64_t writable = 0, std::uint64_t clearable = 0);
	void set_bits(std::size_t offset, std::uint32_t bits);
	void add_header(const bar_sizes &bars);
	void add_bar(std::size_t offset, std::uint64_t size, std::uint64_t flags);
	void add_power_management();
	void add_msix(unsigned vectors);
	void add_express();
	void add_express_link();
	void add_error_reporting();
	void add_serial(std::uint64_t serial);

	std::array<std::uint8_t, SIZE> value_{}, initial_{}, writable_{}, clearable_{};
};

} // namespace oac::emu
