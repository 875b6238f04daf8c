// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See events.hpp.
#include "events.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace oac::emu
{

namespace
{

struct event_kind {
	std::uint16_t code;
	std::uint8_t severity;
	std::uint8_t action;
};

constexpr event_kind CATALOGUE[] = {
#define OAC_EVENT_ROW(name, severity, action, text) \
	{ OAC_EVENT_##name, OAC_SEVERITY_##severity, OAC_ACTION_##action },
	OAC_EVENTS(OAC_EVENT_ROW)
#undef OAC_EVENT_ROW
};

constexpr std::uint32_t COUNTER_IDS[] = {
#define OAC_COUNTER_ID(name, text) OAC_COUNTER_##name,
	OAC_COUNTERS(OAC_COUNTER_ID)
#undef OAC_COUNTER_ID
};

/* At most limit entries from sequence number first on. */
template <typename Entry>
std::vector<Entry> since(const std::deque<Entry> &all, std::uint64_t first, std::size_t limit)
{
	std::vector<Entry> found;

	if (all.empty() || limit == 0)
		return found;
	const std::uint64_t oldest = all.front().seq;
	const std::uint64_t skip = first > oldest ? first - oldest : 0;
	for (std::uint64_t at = skip; at < all.size() && found.size() < limit; at++)
		found.push_back(all[static_cast<std::size_t>(at)]);
	return found;
}

} // namespace

std::vector<oac_counter> counters::log() const
{
	std::vector<oac_counter> all;

	for (const std::uint32_t id : COUNTER_IDS)
		all.push_back({ id, 0, values_.at(id) });
	return all;
}

void event_log::set_capacity(std::size_t capacity)
{
	capacity_ = capacity;
	while (events_.size() > capacity_)
		events_.pop_front();
}

void event_log::add(std::uint16_t code, std::uint64_t arg, std::uint64_t card_ns, origin from)
{
	const event_kind *kind = std::find_if(std::begin(CATALOGUE), std::end(CATALOGUE),
					      [&](const event_kind &k) { return k.code == code; });
	oac_event event{};

	event.seq = next_seq_++;
	event.card_ns = card_ns;
	event.arg = arg;
	event.context = from.context;
	event.queue = from.queue;
	event.code = code;
	event.severity = kind->severity;
	event.action = kind->action;
	if (events_.size() >= capacity_)
		events_.pop_front();
	events_.push_back(event);
}

std::vector<oac_event> event_log::log(std::uint64_t first, std::size_t limit) const
{
	return since(events_, first, limit);
}

void firmware_log::say(std::uint64_t card_ns, const char *format, ...)
{
	oac_fw_line line{};
	std::va_list args;

	line.seq = next_seq_++;
	line.card_ns = card_ns;
	va_start(args, format);
	vsnprintf(reinterpret_cast<char *>(line.text), sizeof(line.text), format, args);
	va_end(args);
	for (__u8 &letter : line.text) {
		if (letter && (letter < ' ' || letter > '~'))
			letter = '?';
	}
	if (lines_.size() >= OAC_FW_LINES)
		lines_.pop_front();
	lines_.push_back(line);
}

std::vector<oac_fw_line> firmware_log::log(std::uint64_t first, std::size_t limit) const
{
	return since(lines_, first, limit);
}

} // namespace oac::emu
