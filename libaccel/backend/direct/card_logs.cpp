// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a card reports: sensors, counters, events, read as log pages through the admin queue.
#include "card.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <hw/oac_telemetry.h>

#include "error.hpp"
#include "event_of.hpp"

namespace accel::direct
{

namespace
{

constexpr std::size_t COUNTERS_MAX = 256;

} // namespace

/* Reads entries into to; returns how many there are, never more than fit. */
std::uint64_t card::read_log(std::uint32_t page, std::uint64_t start, std::span<std::byte> to,
			     std::int64_t timeout_ns)
{
	oac_admin_cmd cmd{};
	cmd.opcode = OAC_ADMIN_GET_LOG;
	cmd.arg.get_log.start = start;
	cmd.arg.get_log.page = page;
	return admin_.run("read a log", cmd, {}, to, { 0, timeout_ns });
}

namespace
{

/* What read gives (a count of entries in the span it gets), as a vector. */
template <typename Entry, typename Read>
std::vector<Entry> read_entries(std::size_t max, const Read &read)
{
	std::vector<Entry> entries(max);
	const std::uint64_t count = read(std::as_writable_bytes(std::span(entries)));
	entries.resize(std::min<std::uint64_t>(count, max));
	return entries;
}

sensor_reading reading_of(const oac_sensor_info &info, const oac_sensor_value &value)
{
	sensor_reading reading;
	reading.id = info.id;
	reading.type = info.type;
	reading.flags = static_cast<std::uint16_t>(info.flags & OAC_SENSOR_FLAGS_MASK);
	reading.warn = static_cast<std::int64_t>(info.warn);
	reading.critical = static_cast<std::int64_t>(info.critical);
	const auto *label = reinterpret_cast<const char *>(info.label);
	reading.label.assign(label, strnlen(label, sizeof(info.label)));
	reading.absent = value.absent;
	reading.value = static_cast<std::int64_t>(value.value);
	reading.card_ns = value.card_ns;
	return reading;
}

} // namespace

telemetry_reading card::telemetry(std::int64_t deadline)
{
	look_for_firmware();
	const patience limit(deadline);
	const auto infos = read_entries<oac_sensor_info>(OAC_SENSOR_MAX, [&](auto to) {
		return read_log(OAC_LOG_SENSOR_INFO, 0, to);
	});
	const auto values = read_entries<oac_sensor_value>(OAC_SENSOR_MAX, [&](auto to) {
		return read_log(OAC_LOG_SENSOR_VALUES, 0, to);
	});
	const auto counters = read_entries<oac_counter>(COUNTERS_MAX, [&](auto to) {
		return read_log(OAC_LOG_COUNTERS, 0, to);
	});
	telemetry_reading reading;
	for (std::size_t i = 0; i < infos.size() && i < values.size(); i++) {
		if (infos[i].id != values[i].id)
			throw failure(EPROTO,
				      "card " + name_ +
					      ": its sensors and their values differ in order");
		reading.sensors.push_back(reading_of(infos[i], values[i]));
	}
	for (const oac_counter &counter : counters)
		reading.counters.push_back({ counter.id, counter.value });
	return reading;
}

std::size_t card::events(std::uint64_t from, std::span<event_reading> events)
{
	look_for_firmware();
	constexpr std::size_t AT_ONCE = admin_queue::DATA_SIZE / sizeof(oac_event);
	std::size_t count = 0;
	while (count < events.size()) {
		const std::size_t room = std::min(AT_ONCE, events.size() - count);
		const auto found = read_entries<oac_event>(room, [&](auto to) {
			return read_log(OAC_LOG_EVENTS, from, to);
		});
		for (const oac_event &event : found)
			events[count++] = event_of(event);
		if (found.size() < room)
			break;
		from = found.back().seq + 1;
	}
	return count;
}

} // namespace accel::direct
