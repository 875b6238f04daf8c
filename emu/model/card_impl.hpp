// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a card is made of: shared by card.cpp, which is its life, and card_faults.cpp, which is what
// can be done to it.
#pragma once

#include "admin.hpp"
#include "board.hpp"
#include "boot_rom.hpp"
#include "card.hpp"
#include "config_space.hpp"
#include "registers.hpp"
#include "scheduler.hpp"

namespace oac::emu
{

struct card::impl {
	impl(const card_config &config, card_port &port);

	bool write_doorbell(std::uint64_t offset, std::span<const std::byte> from);
	void reset_function();
	void reset(reset_kind kind);
	/* An access of the host, seen by faults; what a dead card does with it. */
	bool is_write_lost();
	bool is_dead_to_host();
	void set_asleep(std::uint32_t value);
	bool has_doorbell_work();
	bool step_slowly();
	std::int64_t step_rarely();
	std::int64_t work();
	void show_steps();
	void die();

	const bool shared_doorbells;
	board base;
	boot_rom rom;
	scheduler turns;
	admin control;
	registers regs;
	config_space config;
	std::uint64_t next_sensors_ns = 0, next_look_ns = 0;
	std::int64_t cost = 0; /* of the last step */
};

} // namespace oac::emu
