// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What faults do at each place where the card asks: see model/fault_hooks.hpp. What they say that
// is not so is in lies.cpp.
#include <algorithm>
#include <cstring>

#include <hw/oac_regs.h>

#include "injector.hpp"

namespace oac::emu::control
{

namespace
{

constexpr std::uint64_t NS_PER_US = 1000, NS_PER_MS = 1000000;

using phase = injector::fault_state::phase;

std::uint64_t amount(const injector::fault_state &f, parameter which)
{
	return static_cast<std::uint64_t>(f.what.args.get(which, 0));
}

rung heals_at(const injector::fault_state &f)
{
	return static_cast<rung>(
		f.what.args.get(parameter::until, static_cast<std::int64_t>(rung::never)));
}

place place_of(queue_name at, std::optional<unsigned> opcode = std::nullopt)
{
	return { at.queue, at.context, opcode, std::nullopt };
}

} // namespace

void injector::on_access()
{
	happens(happening::access, {});
}

bool injector::on_doorbell(queue_name at)
{
	happens(happening::doorbell, place_of(at));
	return !hits(fault::lost_doorbell, happening::doorbell, place_of(at));
}

bool injector::on_interrupt(unsigned vector)
{
	const place where{ .vector = vector };

	happens(happening::interrupt, where);
	return !hits(fault::lost_interrupt, happening::interrupt, where);
}

/* Where a window was refused, so is the transfer that comes in its place. */
bool injector::on_dma(bool is_window)
{
	if (!is_window && is_refusing_) {
		is_refusing_ = false;
		return false;
	}
	is_refusing_ = false;
	happens(happening::dma, {});
	if (!hits(fault::dma_refused, happening::dma, {}))
		return true;
	is_refusing_ = is_window;
	return false;
}

fault_hooks::fate injector::on_command(queue_name at, const oac_cmd &cmd, outcome &how)
{
	const place where = place_of(at, cmd.opcode);
	fault_state *hit;

	happens(happening::command, where);
	if (hits(fault::hang_command, happening::command, where, hit)) {
		hit->queue = at.queue;
		annotate(hit->id,
			 "queue " + std::to_string(at.queue) + " tag " + std::to_string(cmd.tag));
		return fate::freeze;
	}
	if (hits(fault::engine_error, happening::command, where, hit)) {
		how = { OAC_ST_ENGINE_ERROR, 0 };
		const auto engine = static_cast<unsigned>(amount(*hit, parameter::engine));
		later_.push_back({ 0, hit->id, [this, engine] {
					  card_.report_engine_error(engine);
					  return "engine " + std::to_string(engine);
				  } });
		return fate::fail;
	}
	if (cmd.opcode == OAC_CMD_EXEC && is_sram_lost_) {
		is_sram_lost_ = false;
		how = { OAC_ST_MEMORY_ERROR, 0 };
		return fate::fail;
	}
	return fate::run;
}

/* false: never. Else the fault is over, and what held the command is gone. */
bool injector::releases(unsigned queue, rung how)
{
	for (fault_state &f : faults_) {
		if (f.now != phase::holds || f.what.kind->id != fault::hang_command ||
		    f.queue != queue)
			continue;
		if (how < heals_at(f))
			return false;
		f.now = phase::done;
		write(f, "healed",
		      how == rung::abort ? "queue aborted" :
		      how == rung::queue ? "queue destroyed" :
					   "context destroyed");
		return true;
	}
	return true;
}

unsigned injector::on_boot_step(std::uint32_t state, bool &hangs)
{
	fault_state *hit;
	const bool is_first = state != boot_state_;
	const fault_state *const hang = holding(fault::boot_hang);

	boot_state_ = state;
	hangs = hang && amount(*hang, parameter::state) == state - OAC_STATE_LOADING;
	if (state != OAC_STATE_VERIFYING || !is_first)
		return OAC_FAIL_NONE;
	happens(happening::booting, {});
	if (!hits(fault::boot_fail, happening::booting, {}, hit))
		return OAC_FAIL_NONE;
	return static_cast<unsigned>(amount(*hit, parameter::reason));
}

void injector::on_booted()
{
	fault_state *hit;

	happens(happening::boot, {});
	if (!hits(fault::crash_after, happening::boot, {}, hit))
		return;
	const auto code = static_cast<std::uint32_t>(amount(*hit, parameter::code));
	later_.push_back(
		{ card_.now_ns() + amount(*hit, parameter::ms) * NS_PER_MS, hit->id, [this, code] {
			 card_.crash(code);
			 return std::string("crashed");
		 } });
}

bool injector::on_reset(rung how)
{
	happens(happening::reset, {});
	for (fault_state &f : faults_) {
		if (f.now != phase::acts || f.what.kind->id != fault::reset_ignored)
			continue;
		const auto level = static_cast<rung>(amount(f, parameter::level) +
						     static_cast<unsigned>(rung::soft_reset));
		if (how > level || !f.luck.has_hit(f.what.probability))
			continue;
		fire(f);
		return false;
	}
	return true;
}

/* Frozen commands are gone with their queues: a fault that is not healed takes the next one. */
void injector::after_reset(rung how)
{
	boot_state_ = 0;
	held_.clear();
	past_.clear();
	is_sram_lost_ = false;
	for (fault_state &f : faults_) {
		if (f.now != phase::holds || !f.what.kind)
			continue;
		const bool is_hang = f.what.kind->id == fault::hang_command;
		if (how >= heals_at(f) && heals_at(f) != rung::never) {
			f.queue = 0;
			heal(f, "reset");
		} else if (is_hang) {
			f.now = phase::acts;
		} else if (f.what.kind->id == fault::boot_hang) {
			continue;
		}
	}
}

void injector::on_answer(unsigned engine, std::span<std::byte> out)
{
	happens(happening::answer, {});
	for (const fault_state &f : faults_) {
		if (f.now != phase::holds || !f.what.kind ||
		    f.what.kind->id != fault::wrong_answer ||
		    amount(f, parameter::engine) != engine || out.empty())
			continue;
		/* the highest bit of the last byte: a sign, or most of a number */
		constexpr std::byte sign{ 0x80 };
		out.back() ^= sign;
	}
}

bool injector::on_admin(const oac_admin_cmd &cmd)
{
	happens(happening::admin, { .opcode = cmd.opcode });
	/* a hang that has just begun takes this one along */
	return !shown_.admin_stopped;
}

void injector::on_unmap(std::uint64_t bus_address, std::uint64_t length)
{
	fault_state *const f = holding(fault::dma_late);

	if (!f || length == 0)
		return;
	const bool is_write = amount(*f, parameter::write) != 0;
	later_.push_back({ card_.now_ns() + amount(*f, parameter::us) * NS_PER_US, f->id,
			   [this, bus_address, is_write] {
				   return std::string(card_.stray_dma(bus_address, is_write) ?
							      "went through" :
							      "refused");
			   } });
	f->now = phase::done;
}

} // namespace oac::emu::control
