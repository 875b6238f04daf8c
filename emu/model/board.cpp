// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See board.hpp.
#include "board.hpp"

#include <algorithm>
#include <cstring>

namespace oac::emu
{

board::board(const card_config &config, card_port &outside)
	: port(outside), lmem("oac-lmem", config.lmem_size),
	  doorbells("oac-doorbells", std::uint64_t{ config.doorbell_pages } * OAC_DB_PAGE_SIZE)
{
}

/* The rare half of every access to host memory. */
bool board::is_dma_allowed(bool is_window)
{
	if (broken.is_dead)
		return false;
	if (broken.dma_ns)
		port.pause(broken.dma_ns);
	return hooks->on_dma(is_window);
}

bool board::refused(std::uint64_t address)
{
	if (broken.is_dead)
		return false;
	count.add(OAC_COUNTER_DMA_ERRORS, 1);
	add_event(OAC_EVENT_DMA_ERROR, address);
	return false;
}

bool board::host_read(std::uint64_t address, std::span<std::byte> to)
{
	if (hooks && !is_dma_allowed(false)) [[unlikely]]
		return refused(address);
	while (!to.empty()) {
		std::span<std::byte> direct = port.dma_window(address, to.size(), access::read);
		if (direct.empty())
			return port.dma_read(address, to) || refused(address);
		direct = direct.first(std::min(direct.size(), to.size()));
		std::memcpy(to.data(), direct.data(), direct.size());
		to = to.subspan(direct.size());
		address += direct.size();
	}
	return true;
}

bool board::host_write(std::uint64_t address, std::span<const std::byte> from)
{
	if (hooks && !is_dma_allowed(false)) [[unlikely]]
		return refused(address);
	while (!from.empty()) {
		std::span<std::byte> direct = port.dma_window(address, from.size(), access::write);
		if (direct.empty())
			return port.dma_write(address, from) || refused(address);
		direct = direct.first(std::min(direct.size(), from.size()));
		std::memcpy(direct.data(), from.data(), direct.size());
		from = from.subspan(direct.size());
		address += direct.size();
	}
	return true;
}

std::uint64_t board::clock_ns()
{
	const std::uint64_t now = port.now_ns();

	return static_cast<std::uint32_t>(now) == OAC_REG_ALL_ONES ? now - 1 : now;
}

void board::add_event(std::uint16_t code, std::uint64_t arg, event_log::origin from)
{
	events.add(code, arg, clock_ns(), from);
	if (!tells_events_ || is_event_told_)
		return;
	is_event_told_ = true;
	interrupt(OAC_MSIX_ADMIN_VECTOR);
}

std::uint32_t board::read_event_seq()
{
	is_event_told_ = false;
	/* no register of a living card reads all ones */
	const auto low = static_cast<std::uint32_t>(events.last_seq());
	return low == OAC_REG_ALL_ONES ? low - 1 : low;
}

void board::tell_events(bool on)
{
	tells_events_ = on;
	is_event_told_ = false;
}

void board::interrupt(unsigned vector)
{
	if (hooks && (broken.is_dead || !hooks->on_interrupt(vector))) [[unlikely]]
		return;
	count.add(OAC_COUNTER_INTERRUPTS, 1);
	port.interrupt(vector);
}

void board::update_sensors()
{
	for (const sensors::alarm &alarm : sense.advance(clock_ns())) {
		add_event(alarm.event, alarm.sensor);
		if (alarm.event == OAC_EVENT_THERMAL_TRIP)
			lines.say(clock_ns(), "thermal: trip, sensor %u: engines stop",
				  alarm.sensor);
	}
	count.set(OAC_COUNTER_ENERGY_UJ, sense.energy_uj());
	count.set(OAC_COUNTER_HOT_NS, sense.hot_ns());
	count.set(OAC_COUNTER_BRAKE_NS, sense.brake_ns());
	set_plain();
}

void board::set_plain()
{
	const bool was_free = is_free;

	is_free = is_running && !hooks && slowdown() == 1 && !is_stopped();
	is_plain = is_free && !is_look_due;
	/* what queues have at hand is good for as long as windows are */
	if (was_free && !is_free)
		port.window_epoch++;
}

unsigned board::slowdown() const
{
	return broken.slowdown * sense.slowdown();
}

void board::poison(std::uint64_t offset, std::uint64_t length)
{
	const std::uint64_t end = offset + length;

	for (std::uint64_t page = offset - offset % OAC_PAGE_SIZE; page < end;
	     page += OAC_PAGE_SIZE) {
		std::byte *const at = lmem.data() + page;
		for (unsigned byte = 0; byte < sizeof(std::uint64_t); byte++)
			at[byte] = ~at[byte];
		poisoned.insert(page);
	}
}

void board::heal(std::uint64_t offset, std::uint64_t length)
{
	if (poisoned.empty())
		return;
	poisoned.erase(poisoned.lower_bound(offset), poisoned.lower_bound(offset + length));
}

std::optional<unsigned> board::next_engine()
{
	const unsigned engines = running->manifest.engine_count;

	for (unsigned tried = 0; tried < engines; tried++) {
		const unsigned next = engine_turn_++ % engines;
		if (!(failed_engines >> next & 1))
			return next;
	}
	return std::nullopt;
}

} // namespace oac::emu
