// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What can be done to a card from beside it: see card.hpp. Nothing here decides when.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "card_impl.hpp"

namespace oac::emu
{

namespace
{

/* All pages that were ever used; the others cost memory to fill and hold nothing. */
void fill_with_ones(const memory &what)
{
	off_t at = 0;

	while ((at = lseek(what.fd(), at, SEEK_DATA)) >= 0) {
		const off_t end = lseek(what.fd(), at, SEEK_HOLE);
		if (end <= at)
			return;
		std::memset(what.data() + at, UINT8_MAX, static_cast<std::size_t>(end - at));
		at = end;
	}
}

} // namespace

bool card::impl::is_write_lost()
{
	if (!base.hooks) [[likely]]
		return false;
	return is_dead_to_host();
}

bool card::impl::is_dead_to_host()
{
	base.port.pause(base.broken.access_ns);
	base.hooks->on_access();
	return base.broken.is_dead;
}

void card::set_hooks(fault_hooks *hooks)
{
	board &base = impl_->base;

	base.hooks = hooks;
	base.port.window_epoch++;
	base.set_plain();
	impl_->control.reconsider();
}

void card::set_conditions(const conditions &now)
{
	impl &all = *impl_;
	const bool was_dead = all.base.broken.is_dead;

	all.base.broken = now;
	if (now.is_dead && !was_dead) {
		fill_with_ones(all.base.lmem);
		fill_with_ones(all.base.doorbells);
	} else if (was_dead && !now.is_dead) {
		all.reset(reset_kind::bus);
	}
	all.base.set_plain();
}

void card::crash(std::uint32_t code)
{
	if (impl_->rom.state() == OAC_STATE_RUNNING)
		impl_->rom.crash(code);
}

void card::reset_silently()
{
	impl_->reset_function();
}

void card::post(unsigned id, const oac_completion &entry)
{
	if (queue *of = impl_->control.find_queue(id))
		of->post_late(entry);
}

void card::thaw(unsigned id)
{
	if (queue *of = impl_->control.find_queue(id))
		of->thaw();
}

void card::end_boot_hang()
{
	impl_->rom.end_hang();
}

void card::raise(unsigned vector)
{
	impl_->base.interrupt(vector);
}

void card::report_engine_error(unsigned engine)
{
	board &base = impl_->base;

	base.lines.say(base.clock_ns(), "engine %u: failed", engine);
	base.add_event(OAC_EVENT_ENGINE_ERROR, engine);
}

void card::add_memory_error(unsigned heap, std::uint64_t offset, bool is_lost)
{
	board &base = impl_->base;
	const bool is_lmem = heap == OAC_HEAP_LMEM;

	if (is_lost)
		base.count.add(is_lmem ? OAC_COUNTER_LMEM_ECC_LOST : OAC_COUNTER_SRAM_ECC_LOST, 1);
	else
		base.count.add(is_lmem ? OAC_COUNTER_LMEM_ECC_CORRECTED :
					 OAC_COUNTER_SRAM_ECC_CORRECTED,
			       1);
	base.lines.say(base.clock_ns(), "ecc: %s %s at %#llx", is_lmem ? "lmem" : "sram",
		       is_lost ? "lost" : "corrected", static_cast<unsigned long long>(offset));
	base.add_event(is_lost ? OAC_EVENT_ECC_LOST : OAC_EVENT_ECC_CORRECTED, heap);
	if (!is_lost || !is_lmem)
		return;
	base.poison(offset % base.lmem.size(), 1);
	impl_->control.note_poison();
}

bool card::stray_dma(std::uint64_t address, bool is_write)
{
	std::uint64_t word = ~address;

	return is_write ? impl_->base.host_write(address, bytes_of(word)) :
			  impl_->base.host_read(address, bytes_of(word));
}

/* Before firmware runs, any: it is shown when there is somebody to show it. */
static bool has_sensor(const board &base, unsigned id)
{
	const std::vector<oac_sensor_info> all = base.sense.info();

	return !base.running ||
	       std::any_of(all.begin(), all.end(),
			   [&](const oac_sensor_info &each) { return each.id == id; });
}

bool card::set_sensor(unsigned id, std::optional<std::int64_t> value)
{
	board &base = impl_->base;

	if (!has_sensor(base, id))
		return false;
	base.sense.force(static_cast<std::uint16_t>(id), value);
	base.update_sensors();
	return true;
}

bool card::set_sensor_dead(unsigned id, bool is_dead)
{
	board &base = impl_->base;

	if (!has_sensor(base, id) && is_dead)
		return false;
	if (is_dead && !base.sense.is_dead(static_cast<std::uint16_t>(id)))
		base.add_event(OAC_EVENT_SENSOR_DEAD, id);
	base.sense.set_dead(static_cast<std::uint16_t>(id), is_dead);
	base.set_plain();
	return true;
}

void card::set_power_brake(bool on)
{
	board &base = impl_->base;

	base.update_sensors();
	base.sense.set_brake(on);
	base.add_event(on ? OAC_EVENT_POWER_BRAKE : OAC_EVENT_POWER_CLEARED, 0);
	base.set_plain();
}

std::uint64_t card::now_ns()
{
	return impl_->base.clock_ns();
}

std::uint32_t card::state() const
{
	return impl_->rom.state();
}

std::uint32_t card::reset_count() const
{
	return impl_->regs.reset_count();
}

std::uint64_t card::lmem_size() const
{
	return impl_->base.lmem.size();
}

unsigned card::engine_count() const
{
	const std::optional<firmware> &running = impl_->base.running;

	return running ? running->manifest.engine_count : 0;
}

void card::log_link_error(std::uint32_t uncorrectable, std::uint32_t correctable)
{
	impl_->config.log_error(uncorrectable, correctable);
}

} // namespace oac::emu
