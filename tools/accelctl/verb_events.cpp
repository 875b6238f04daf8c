// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl events: what the cards have reported since power-on, by their own logs; or, with --stream
// and --follow, what they and their drivers report.
#include "verb.hpp"

#include <algorithm>
#include <array>

#include "event_follow.hpp"
#include "event_json.hpp"

namespace accelctl
{

namespace
{

struct choice {
	std::uint64_t from = 1;
	unsigned max = 0;	/* 0: not said */
	bool is_stream = false;
	bool is_following = false;

	unsigned max_or(unsigned otherwise) const { return max ? max : otherwise; }
};

constexpr unsigned MAX = 1024;

std::string text_or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

/* The word for an argument that is a number of one of the library's lists; empty: it is a number. */
std::string detail_of(const accel_event &event)
{
	const std::string name = text_or(accel_event_name(event.code), "");
	const auto number = static_cast<std::uint32_t>(event.argument);

	if (name == "HEALTH")
		return accel_health_reason_name(number);
	if (name == "RECOVERY" || name == "WEDGED")
		return accel_cause_name(number);
	if (name == "RUNG" || name == "RECOVERED")
		return accel_rung_name(number);
	if (name == "CONTEXT_LOST")
		return number == ACCEL_LOST_GUILTY ? "guilty" : "innocent";
	return {};
}

} // namespace

tree event_json(const accel_event &event)
{
	static constexpr std::array severities = { "info", "warning", "context_fatal",
						   "card_fatal" };
	const char *const name = accel_event_name(event.code);
	tree out;

	out["sequence"] = event.sequence;
	if (event.card_ns)
		out["card_time_seconds"] = static_cast<double>(event.card_ns) / 1e9;
	if (event.boot_ns)
		out["boot_time_seconds"] = static_cast<double>(event.boot_ns) / 1e9;
	out["event"] = name ? std::string(name) : "code " + std::to_string(event.code);
	out["severity"] = event.severity < severities.size() ? severities[event.severity] :
							       "unknown";
	out["argument"] = event.argument;
	out["detail"] = detail_of(event);
	out["context"] = event.context;
	out["queue"] = event.queue;
	out["meaning"] = text_or(accel_event_text(event.code), "not known to this program");
	out["action"] = text_or(accel_event_action(event.code), "none");
	return out;
}

namespace
{

void fill_row(card &of, tree &row, const choice &wanted)
{
	const unsigned max = wanted.max_or(MAX);
	if (wanted.is_stream) {
		read_stream(of, row, wanted.from, max);
		return;
	}
	std::vector<accel_event> events(max);
	const int count =
		accel_events_read(of.device(), wanted.from, events.data(), static_cast<int>(max));

	if (count < 0)
		throw library_failure(count, of.name());
	events.resize(static_cast<std::size_t>(count));
	row["lost"] = events.empty() ?
			      0 :
			      events.front().sequence - std::max<std::uint64_t>(wanted.from, 1);
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
		card_set cards(s.set, unselected::all);
		if (wanted->is_following)
			follow_events(cards, out,
				      { wanted->from, wanted->max, s.set.output != "table" });
		else
			cards.visit(out, order::one_by_one,
				    [&](card &of, tree &row) { fill_row(of, row, *wanted); });
		return out;
	};
	CLI::App *const verb = add_verb(app, s,
					{ "events", "Show the events of cards, oldest first",
					  "events\n"
					  "events -d 0 --from 100 -o json\n"
					  "events --follow --from 0" },
					run);
	add_selection(*verb, s);
	verb->add_option("--from", wanted->from,
			 "First sequence number wanted (1); 0: only what is to come")
		->check(CLI::Range(std::uint64_t{ 0 }, UINT64_MAX).description(""))
		->type_name("SEQUENCE");
	verb->add_flag("--stream", wanted->is_stream,
		       "Of the driver, too, since it has the card, and in its numbers");
	verb->add_flag("--follow", wanted->is_following,
		       "The same, each as it comes, until interrupted; with -o json one a line");
	verb->add_option("--max", wanted->max, "At most so many (1024; without end with --follow)")
		->check(CLI::Range(1, 65536).description(""))
		->type_name("COUNT");
}

} // namespace accelctl
