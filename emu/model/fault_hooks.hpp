// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Where a fault may get at the card: the places the model calls out to, and the conditions it keeps
// to. All of them are off the paths of a card that nothing was done to (board::is_plain). Who
// decides about faults is emu/control; the model does not know it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "outcome.hpp"

namespace oac::emu
{

/* What heals, mildest first. */
enum class rung { abort, queue, context, soft_reset, flr, bus_reset, power, never };

/* What is wrong with the card for now. */
struct conditions {
	bool is_dead = false; /* reads all ones, does nothing */
	bool admin_stopped = false;
	bool queues_stopped = false;
	bool heartbeat_stopped = false;
	std::uint64_t access_ns = 0; /* each register access takes so much longer */
	std::uint64_t dma_ns = 0; /* each transfer */
	unsigned slowdown = 1; /* all work takes so many times as long */
};

/* The queue and context that something happens in. */
struct queue_name {
	unsigned queue, context;
};

struct posted_completion {
	oac_completion entry;
	bool has_wrong_phase = false;
};

/* What comes of one completion. */
struct post_order {
	std::vector<posted_completion> entries;
	bool is_interrupt_early = false; /* before the entries, and then none */
	std::uint64_t pause_ns = 0; /* between that interrupt and the entries */
};

class fault_hooks
{
public:
	enum class fate { run, freeze, fail };

	virtual ~fault_hooks() = default;

	/* The host reads or writes a register, the configuration space or a trapped doorbell. */
	virtual void on_access() = 0;
	/* What a register or the configuration space is about to show. */
	virtual void on_register(std::uint64_t offset, std::uint32_t &value) = 0;
	virtual void on_config(std::uint64_t offset, std::span<std::byte> value) = 0;

	/* false: lost. queue 0: the admin queue. */
	virtual bool on_doorbell(queue_name at) = 0;
	virtual bool on_interrupt(unsigned vector) = 0;
	/* false: refused. is_window: a look whether memory is direct; a transfer may follow. */
	virtual bool on_dma(bool is_window) = 0;

	/* fail: with how. */
	virtual fate on_command(queue_name at, const oac_cmd &cmd, outcome &how) = 0;
	virtual post_order on_completion(queue_name at, const oac_completion &entry) = 0;
	virtual void on_tail(queue_name at, std::uint32_t &tail) = 0;
	virtual void on_progress(queue_name at, oac_progress &line) = 0;
	/* What an engine has computed; out: part of an operator's output, or a self-test's. */
	virtual void on_answer(unsigned engine, std::span<std::byte> out) = 0;

	/* false: taken, and never answered. */
	virtual bool on_admin(const oac_admin_cmd &cmd) = 0;
	virtual void on_admin_data(const oac_admin_cmd &cmd, std::span<std::byte> data) = 0;
	virtual post_order on_admin_answer(const oac_admin_cmd &cmd,
					   const oac_completion &entry) = 0;
	virtual void on_unmap(std::uint64_t bus_address, std::uint64_t length) = 0;

	/* A frozen command: does this get it back from the engine? */
	virtual bool releases(unsigned queue, rung how) = 0;
	/* OAC_FAIL_* that this step of the boot ends in, or nothing; hangs: it never ends. */
	virtual unsigned on_boot_step(std::uint32_t state, bool &hangs) = 0;
	virtual void on_booted() = 0;
	/* false: the card does not react. */
	virtual bool on_reset(rung how) = 0;
	virtual void after_reset(rung how) = 0;

	/* Between two steps: anything may be done to the card. true: it was. */
	virtual bool on_step() = 0;
	/* When on_step() has something to do by time alone. */
	virtual std::optional<std::uint64_t> next_ns() const = 0;
};

} // namespace oac::emu
