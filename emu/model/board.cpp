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

bool board::host_read(std::uint64_t address, std::span<std::byte> to)
{
	while (!to.empty()) {
		std::span<std::byte> direct = port.dma_window(address, to.size(), access::read);
		if (direct.empty())
			return port.dma_read(address, to);
		direct = direct.first(std::min(direct.size(), to.size()));
		std::memcpy(to.data(), direct.data(), direct.size());
		to = to.subspan(direct.size());
		address += direct.size();
	}
	return true;
}

bool board::host_write(std::uint64_t address, std::span<const std::byte> from)
{
	while (!from.empty()) {
		std::span<std::byte> direct = port.dma_window(address, from.size(), access::write);
		if (direct.empty())
			return port.dma_write(address, from);
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
}

void board::interrupt(unsigned vector)
{
	count.add(OAC_COUNTER_INTERRUPTS, 1);
	port.interrupt(vector);
}

void board::update_sensors()
{
	for (const sensors::alarm &alarm : sense.advance(clock_ns()))
		add_event(alarm.cleared ? OAC_EVENT_THERMAL_CLEARED : OAC_EVENT_THERMAL_WARNING,
			  alarm.sensor);
	count.set(OAC_COUNTER_ENERGY_UJ, sense.energy_uj());
}

} // namespace oac::emu
