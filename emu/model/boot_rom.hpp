// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The boot ROM: takes a boot command, copies the image in slices, checks it step by step and makes
// the firmware the one in charge. Owns the state register, post code, progress and failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "board.hpp"
#include "firmware_image.hpp"

namespace oac::emu
{

class boot_rom
{
public:
	boot_rom(board &on, const card_config &config);

	/* false: not legal in this state, or no such command. */
	bool command(std::uint32_t which, std::uint64_t address, std::uint32_t size);
	bool is_busy() const
	{
		return state_ > OAC_STATE_ROM && state_ < OAC_STATE_RUNNING && !hangs_;
	}
	void step();
	/* The function was reset: state ROM, no image, fuses as they are. */
	void reset();
	/* Firmware gives up, for a reason of its own. */
	void crash(std::uint32_t code);
	void end_hang() { hangs_ = false; }

	std::uint32_t state() const { return state_; }
	std::uint32_t post_code() const { return post_; }
	std::uint32_t failure() const { return failure_; }
	std::uint32_t progress() const;
	std::uint32_t security_version() const { return security_version_; }

private:
	void enter(std::uint32_t state, std::uint32_t post);
	void fail(unsigned reason);
	void copy_slice();
	void verify();
	void configure();
	/* Fails or goes on to the next step. */
	void check(unsigned reason, std::uint32_t next_post);

	board &board_;
	const std::array<std::uint8_t, OAC_FW_KEY_SIZE> key_;
	const std::vector<std::uint8_t> flash_;
	const unsigned doorbell_pages_;
	std::uint32_t security_version_;

	std::uint32_t state_ = OAC_STATE_ROM, post_ = OAC_POST_RESET;
	std::uint32_t failure_ = OAC_FAIL_NONE;
	bool hangs_ = false; /* a fault: is_busy() no more */
	std::uint64_t address_ = 0;
	std::vector<std::byte> buffer_;
	std::size_t copied_ = 0;
	std::size_t hashed_ = 0; /* sections */
	firmware_image image_;
};

} // namespace oac::emu
