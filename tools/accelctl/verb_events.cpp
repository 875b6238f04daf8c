// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl events: what the cards have reported since power-on.
#include "verb.hpp"

#include <array>

namespace accelctl
{

namespace
{

struct choice {
	std::uint64_t from = 1;
	unsigned max = 1024;
};

std::string text_or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

tree event_json(const accel_event &event)
{
	static constexpr std::array severities = { "info", "warning", "context_fatal",
						   "card_fatal" };
	const char *const name = accel_event_name(event.code);
	tree out;

	out["sequence"] = event.sequence;
	out["card_time_seconds"] = static_cast<double>(event.card_ns) / 1e9;
	out["event"] = name ? std::string(name) : "code " + std::to_string(event.code);
	out["severity"] = event.severity < severities.size() ? severities[event.severity] :
							       "unknown";
	out["argument"] = event.argument;
	out["meaning"] = text_or(accel_event_text(event.code), "not known to this program");
	out["action"] = text_or(accel_event_action(event.code), "none");
	return out;
}

void fill_row(card &of, tree &row, const choice &wanted)
{
	std::vector<accel_event> events(wanted.max);
	const int count = accel_events_read(of.device(), wanted.from, events.data(),
					    static_cast<int>(wanted.max));

	if (count < 0)
		throw library_failure(count, of.name());
	events.resize(static_cast<std::size_t>(count));
	row["lost"] = events.empty() ? 0 : events.front().sequence - wanted.from;
	row["events"] = tree::array();
	for (const accel_event &event : events)
		row["events"].push_back(event_json(event));
}

} // namespace

void add_events(CLI::App &app, session &s)
{
	const auto wanted = std::make_shared<choice>();
	const auto run = [&s, wanted] {
		report out("events");
		card_set(s.set, unselected::all)
			.visit(out, order::one_by_one,
			       [&](card &of, tree &row) { fill_row(of, row, *wanted); });
		return out;
	};
	CLI::App *const verb = add_verb(app, s,
					{ "events", "Show the events of cards, oldest first",
					  "events\n"
					  "events -d 0 --from 100 -o json" },
					run);
	add_selection(*verb, s);
	verb->add_option("--from", wanted->from, "First sequence number wanted (1)")
		->check(CLI::Range(std::uint64_t{ 1 }, UINT64_MAX).description(""))
		->type_name("SEQUENCE");
	verb->add_option("--max", wanted->max, "At most so many (1024)")
		->check(CLI::Range(1, 65536).description(""))
		->type_name("COUNT");
}

} // namespace accelctl
