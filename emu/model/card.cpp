// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card: puts its parts together behind the port of card.hpp, dispatches BAR accesses, resets,
// and decides what the next step works on.
#include "card.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <stdexcept>

#include "card_impl.hpp"

namespace oac::emu
{

namespace
{

/* Sensors are looked at no less often than this while there is work. */
constexpr std::uint64_t SENSORS_NS = 250000000;
/* Half of what the contract allows: a step may come in between. */
constexpr std::uint64_t LOOK_NS = OAC_STEPS_NS / 2;
constexpr std::int64_t ADMIN_COST = std::int64_t{ 1 } << 14;

rung rung_of(reset_kind kind)
{
	switch (kind) {
	case reset_kind::soft:
		return rung::soft_reset;
	case reset_kind::flr:
		return rung::flr;
	case reset_kind::bus:
		return rung::bus_reset;
	case reset_kind::power:
		return rung::power;
	}
	return rung::power;
}

} // namespace

card::impl::impl(const card_config &how, card_port &port)
	: shared_doorbells(how.shared_doorbells), base(how, port), rom(base, how),
	  control(base, turns, how), regs(base, rom, control, how),
	  config({ OAC_BAR_REGS_SIZE, base.lmem.size(), base.doorbells.size() }, how)
{
}

card::card(const card_config &config, card_port &port)
{
	if (!std::has_single_bit(config.lmem_size) || config.lmem_size % OAC_PAGE_SIZE ||
	    !std::has_single_bit(config.doorbell_pages) || config.doorbell_pages < 2 ||
	    config.doorbell_pages > OAC_CAP_DOORBELL_PAGES_MASK)
		throw std::invalid_argument("card_config: sizes are powers of two");
	if (config.vectors == 0 || config.vectors > VECTORS_MAX)
		throw std::invalid_argument("card_config: vectors are 1..VECTORS_MAX");
	impl_ = std::make_unique<impl>(config, port);
}

card::~card() = default;

bool card::config_read(std::uint64_t offset, std::span<std::byte> to)
{
	board &base = impl_->base;

	if (!base.hooks) [[likely]]
		return impl_->config.read(offset, to);
	base.port.pause(base.broken.access_ns);
	base.hooks->on_access();
	if (!impl_->config.read(offset, to))
		return false;
	base.hooks->on_config(offset, to);
	if (base.broken.is_dead)
		std::memset(to.data(), UINT8_MAX, to.size());
	return true;
}

bool card::config_write(std::uint64_t offset, std::span<const std::byte> from)
{
	bool flr;

	if (impl_->is_write_lost())
		return true;
	const bool done = impl_->config.write(offset, from, flr);
	if (flr)
		reset(reset_kind::flr);
	return done;
}

std::uint64_t card::bar_size(unsigned bar) const
{
	switch (bar) {
	case OAC_BAR_REGS:
		return OAC_BAR_REGS_SIZE;
	case OAC_BAR_LMEM:
		return impl_->base.lmem.size();
	case OAC_BAR_DOORBELL:
		return impl_->base.doorbells.size();
	}
	return 0;
}

std::optional<bar_memory> card::bar_backing(unsigned bar) const
{
	switch (bar) {
	case OAC_BAR_LMEM:
		return bar_memory{ impl_->base.lmem.fd(), impl_->base.lmem.size() };
	case OAC_BAR_DOORBELL:
		if (!impl_->shared_doorbells)
			return std::nullopt;	/* a store must reach the card at once */
		return bar_memory{ impl_->base.doorbells.fd(), impl_->base.doorbells.size() };
	}
	return std::nullopt;
}

bool card::bar_read(unsigned bar, std::uint64_t offset, std::span<std::byte> to)
{
	if (impl_->base.hooks && impl_->is_dead_to_host()) [[unlikely]] {
		std::memset(to.data(), UINT8_MAX, to.size());
		return true;
	}
	if (bar == OAC_BAR_REGS)
		return impl_->regs.read(offset, to);
	if (bar != OAC_BAR_LMEM && bar != OAC_BAR_DOORBELL)
		return false;
	const memory &from = bar == OAC_BAR_LMEM ? impl_->base.lmem : impl_->base.doorbells;
	if (!from.contains(offset, to.size()))
		return false;
	std::memcpy(to.data(), from.data() + offset, to.size());
	return true;
}

bool card::bar_write(unsigned bar, std::uint64_t offset, std::span<const std::byte> from)
{
	bool reset_asked;

	if (impl_->is_write_lost())
		return true;
	switch (bar) {
	case OAC_BAR_REGS: {
		const bool done = impl_->regs.write(offset, from, reset_asked);
		if (reset_asked)
			reset(reset_kind::soft);
		return done;
	}
	case OAC_BAR_LMEM:
		if (!impl_->base.lmem.contains(offset, from.size()))
			return false;
		std::memcpy(impl_->base.lmem.data() + offset, from.data(), from.size());
		return true;
	case OAC_BAR_DOORBELL:
		return impl_->write_doorbell(offset, from);
	}
	return false;
}

/* A trapped store; step() finds a tail where a shared one would be, ARM acts at once. */
bool card::impl::write_doorbell(std::uint64_t offset, std::span<const std::byte> from)
{
	const std::uint64_t word = offset % OAC_DB_PAGE_SIZE;
	const auto page = static_cast<unsigned>(offset / OAC_DB_PAGE_SIZE);

	if (!base.doorbells.contains(offset, from.size()))
		return false;
	if (word == OAC_DB_SQ_TAIL && from.size() == sizeof(std::uint32_t)) {
		std::uint32_t tail;
		std::memcpy(&tail, from.data(), sizeof(tail));
		/* the repeat of a shared store may come after the next shared store */
		const auto ahead = tail - base.doorbells.load<std::uint32_t>(offset);
		if (!shared_doorbells || static_cast<std::int32_t>(ahead) > 0)
			base.doorbells.store(offset, tail);
		return true;
	}
	if (word != OAC_DB_ARM || from.size() != sizeof(std::uint64_t))
		return false;
	std::uint64_t arm;
	std::memcpy(&arm, from.data(), sizeof(arm));
	base.doorbells.store(offset, arm);
	if (queue *of = control.find_queue(page))
		of->arm();
	return true;
}

/* What the RESET register does: all but the configuration space, which is the link's. */
void card::impl::reset_function()
{
	base.update_sensors();
	control.reset();
	rom.reset();
	regs.reset();
	regs.count_reset();
	base.running.reset();
	base.sense.stop();
	base.lmem.scrub();
	base.poisoned.clear();
	base.doorbells.scrub();
	base.count.add(OAC_COUNTER_RESETS, 1);
	base.add_event(OAC_EVENT_RESET, 0);
	base.lines.say(base.clock_ns(), "rom: reset");
}

void card::reset(reset_kind kind)
{
	impl &all = *impl_;

	if (all.base.hooks && !all.base.hooks->on_reset(rung_of(kind))) [[unlikely]]
		return;
	if (!all.base.broken.is_dead)
		all.reset(kind);
	if (all.base.hooks) [[unlikely]]
		all.base.hooks->after_reset(rung_of(kind));
}

void card::impl::reset(reset_kind kind)
{
	reset_function();
	if (kind == reset_kind::soft)
		return;
	regs.reset_msix();
	config.reset(kind != reset_kind::power);
	if (kind != reset_kind::power)
		return;
	base.count = {};
	base.events = {};
	base.lines = {};
	base.sense = {};
	regs.power_on();
}

bool card::step()
{
	impl &all = *impl_;

	/* queues have NOPs at hand only while all is plain, so this does not look at it */
	const std::int64_t cost = all.turns.go_on();
	if (cost == 0) [[unlikely]]
		return all.step_slowly();
	all.cost = cost;
	return true;
}

/* Apart, so that step() is short. */
[[gnu::noinline]] bool card::impl::step_slowly()
{
	cost = base.is_plain ? work() : step_rarely();
	return cost != 0;
}

/* A card that boots, is stopped, or that faults slow down or stop. */
std::int64_t card::impl::step_rarely()
{
	constexpr std::uint64_t pause_max_ns = 100000000;

	if (base.hooks && base.hooks->on_step())
		return ADMIN_COST;
	if (base.broken.is_dead)
		return 0;
	if (base.is_look_due)
		show_steps();
	const unsigned slowdown = base.slowdown();
	if (slowdown == 1)
		return work();
	const std::uint64_t began = base.port.now_ns();
	const std::int64_t done = work();
	const std::uint64_t took = base.port.now_ns() - began;
	if (done)
		base.port.pause(std::min(took * (slowdown - 1), pause_max_ns));
	return done;
}

/* Admin commands before all others; they wait for NOPs that go on for no longer than a turn. */
std::int64_t card::impl::work()
{
	if (rom.state() != OAC_STATE_RUNNING) {
		if (!rom.is_busy())
			return 0;
		rom.step();
		return step_budget::UNITS;
	}
	if (control.has_work()) {
		control.step();
		return ADMIN_COST;
	}
	return base.is_stopped() ? 0 : turns.run_one();
}

/* A queue that waits for its turn in the middle of a command does not hang. */
void card::impl::show_steps()
{
	base.is_look_due = false;
	base.set_plain();
	if (rom.state() != OAC_STATE_RUNNING || base.is_stopped())
		return;
	for (queue *each : control.live())
		each->show_steps();
}

void card::tick()
{
	impl &all = *impl_;

	if (all.rom.state() != OAC_STATE_RUNNING)
		return;
	all.base.time_ns = all.base.clock_ns();
	if (all.base.time_ns >= all.next_look_ns) {
		all.next_look_ns = all.base.time_ns + LOOK_NS;
		all.base.is_look_due = true;
		all.base.is_plain = false;
	}
	if (all.base.time_ns < all.next_sensors_ns)
		return;
	all.base.update_sensors();
	all.next_sensors_ns = all.base.sense.next_tick_ns().value_or(all.base.time_ns + SENSORS_NS);
}

std::uint64_t card::step_cost() const
{
	return static_cast<std::uint64_t>(impl_->cost);
}

std::optional<std::uint64_t> card::next_event_ns() const
{
	const board &base = impl_->base;
	std::optional<std::uint64_t> next;

	if (base.hooks)
		next = base.hooks->next_ns();
	if (impl_->rom.state() != OAC_STATE_RUNNING || base.broken.is_dead)
		return next;
	if (const std::optional<std::uint64_t> tick = base.sense.next_tick_ns())
		next = std::min(*tick, next.value_or(*tick));
	if (base.is_stopped())
		return next;
	for (const queue *each : impl_->control.live()) {
		const std::optional<std::uint64_t> poll = each->next_poll_ns();
		if (poll)
			next = std::min(*poll, next.value_or(*poll));
	}
	return next;
}

bool card::impl::has_doorbell_work()
{
	const auto live = control.live();

	if (base.broken.is_dead)
		return false;
	if (base.is_stopped() || !base.is_running)
		return rom.is_busy() || (base.is_running && control.has_work());
	return rom.is_busy() || control.has_work() ||
	       std::any_of(live.begin(), live.end(), [&](queue *each) { return each->poll(); });
}

void card::impl::set_asleep(std::uint32_t value)
{
	if (!shared_doorbells || base.broken.is_dead)
		return;
	base.doorbells.store(OAC_DB_ASLEEP, value);
	for (const queue *each : control.live())
		base.doorbells.store(each->id * std::uint64_t{ OAC_DB_PAGE_SIZE } + OAC_DB_ASLEEP,
				     value);
}

bool card::fall_asleep()
{
	impl_->set_asleep(1);
	/* ASLEEP before the last look here, the store before ASLEEP on the host */
	std::atomic_thread_fence(std::memory_order_seq_cst);
	if (!impl_->has_doorbell_work())
		return true;
	impl_->set_asleep(0);
	return false;
}

void card::wake()
{
	impl_->set_asleep(0);
}

} // namespace oac::emu
