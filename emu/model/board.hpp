// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What all parts of one card share: the port to the outside, local memory, doorbells, the running
// firmware's limits, sensors, counters and events. No behaviour of its own beyond helpers.
#pragma once

#include <optional>
#include <set>
#include <span>

#include <compute/engine.hpp>

#include "card.hpp"
#include "events.hpp"
#include "fault_hooks.hpp"
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
	/* card_port::dma_window(), as far as faults let it. */
	std::span<std::byte> window(std::uint64_t address, std::uint64_t length, access kind)
	{
		if (hooks && !is_dma_allowed(true)) [[unlikely]]
			return {};
		return port.dma_window(address, length, kind);
	}

	/* Card time; as the low half may be read from a register, it is never all ones. */
	std::uint64_t clock_ns();
	void add_event(std::uint16_t code, std::uint64_t arg, event_log::origin from = {});
	void interrupt(unsigned vector);
	/* Who reads EVENT_SEQ is told of the next event, too. */
	std::uint32_t read_event_seq();
	/* While on: the admin vector interrupts when an event is new. */
	void tell_events(bool on);
	/* Brings sensors to now and raises what they report. */
	void update_sensors();
	/* To be called when anything is_free or is_plain depends on has changed. */
	void set_plain();
	/* How many times as long all work takes. */
	unsigned slowdown() const;
	/* Engines stand still. */
	bool is_stopped() const { return broken.queues_stopped || sense.is_tripped(); }
	/* Loses the data of the pages at these bytes of local memory; what is read there is an error. */
	void poison(std::uint64_t offset, std::uint64_t length);
	void heal(std::uint64_t offset, std::uint64_t length);
	/* The engine for the next operator; nothing: all are out of use. */
	std::optional<unsigned> next_engine();

	card_port &port;
	memory lmem;
	memory doorbells;
	std::optional<firmware> running;
	counters count;
	event_log events;
	firmware_log lines;
	sensors sense;
	compute::engine engine;
	std::uint64_t time_ns = 0; /* at the last tick: good enough to see what is due */
	std::uint64_t signal_epoch = 0; /* moves when a SIGNAL may have released a WAIT */

	/* Firmware runs and nothing slows, stops or watches it: queues may take the short way. */
	bool is_free = false;
	bool is_plain = false; /* and there is nothing else to look for */
	bool is_look_due = false; /* queues are to show that they work */
	bool is_running = false; /* the state register says RUNNING */
	fault_hooks *hooks = nullptr; /* null: nothing was done to this card */
	conditions broken;
	std::set<std::uint64_t> poisoned; /* pages of local memory, by offset */
	std::uint64_t failed_engines = 0; /* a mask: out of use until the next boot */

private:
	bool is_dma_allowed(bool is_window);
	bool refused(std::uint64_t address);

	bool tells_events_ = false, is_event_told_ = false;
	unsigned engine_turn_ = 0;
};

/* Writable bytes of a plain struct. */
template <typename Struct>
std::span<std::byte> bytes_of(Struct &object)
{
	return std::as_writable_bytes(std::span<Struct>(&object, 1));
}

} // namespace oac::emu
