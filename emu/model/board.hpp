// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What all parts of one card share: the port to the outside, local memory, doorbells, the running
// firmware's limits, sensors, counters and events. No behaviour of its own beyond helpers.
#pragma once

#include <optional>
#include <span>

#include <compute/engine.hpp>

#include "card.hpp"
#include "events.hpp"
#include "memory.hpp"
#include "sensors.hpp"

namespace oac::emu
{

/* The firmware in charge: its verified header and manifest. */
struct firmware {
	oac_fw_header header;
	oac_fw_manifest manifest;

	bool has_command(unsigned opcode) const { return bit(manifest.cmd_mask, opcode); }
	bool has_operator(unsigned op) const { return bit(manifest.op_mask, op); }

private:
	static bool bit(const __le64 (&mask)[OAC_MASK_WORDS], unsigned n)
	{
		return n / 64 < OAC_MASK_WORDS && (mask[n / 64] >> (n % 64) & 1);
	}
};

class board
{
public:
	board(const card_config &config, card_port &port);

	/* Host memory at a bus address, by window or by message. false: the host refused. */
	bool host_read(std::uint64_t address, std::span<std::byte> to);
	bool host_write(std::uint64_t address, std::span<const std::byte> from);

	/* Card time; as the low half may be read from a register, it is never all ones. */
	std::uint64_t clock_ns();
	void add_event(std::uint16_t code, std::uint64_t arg, event_log::origin from = {});
	void interrupt(unsigned vector);
	/* Brings sensors to now and raises what they report. */
	void update_sensors();

	card_port &port;
	memory lmem;
	memory doorbells;
	std::optional<firmware> running;
	counters count;
	event_log events;
	sensors sense;
	compute::engine engine;
	std::uint64_t time_ns = 0; /* at the last tick: good enough to see what is due */
	std::uint64_t signal_epoch = 0; /* moves when a SIGNAL may have released a WAIT */
};

/* Writable bytes of a plain struct. */
template <typename Struct>
std::span<std::byte> bytes_of(Struct &object)
{
	return std::as_writable_bytes(std::span<Struct>(&object, 1));
}

} // namespace oac::emu
