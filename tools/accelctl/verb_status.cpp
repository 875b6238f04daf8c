// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl status: how the cards are doing. Health is judged by the limits in the card's own
// firmware; a card in critical health fails the verb, so that scripts need not parse.
#include "verb.hpp"

#include "telemetry.hpp"

namespace accelctl
{

namespace
{

void put_health(const card &of, const telemetry &now, tree &row)
{
	const std::string state = of.string(ACCEL_STRING_STATE).value_or("unknown");
	std::optional<std::string> why;

	if (state != "running")
		why = of.string(ACCEL_STRING_FAIL_REASON).value_or("the firmware is not running");
	else
		why = now.over_limit(true);
	if (why) {
		row["health"] = "critical";
		throw failure(exit_code::check_failed, of.name(), *why,
			      state == "running" ? "check power and cooling" :
						   "load firmware: accelctl fw load");
	}
	why = now.over_limit(false);
	row["health"] = why ? "warning" : "ok";
	if (why)
		row["warning"] = *why;
}

void fill_row(card &of, tree &row)
{
	row["health"] = "unknown";
	of.put(row, "state", ACCEL_STRING_STATE, "the card does not tell");
	const std::optional<std::string> why = of.string(ACCEL_STRING_FAIL_REASON);
	if (why)
		throw failure(exit_code::check_failed, of.name(), *why, "accelctl fw load");

	const telemetry now(of);
	now.put_sensor(row, "temperature_celsius", "chip_temp");
	now.put_sensor(row, "power_watts", "card_power");
	now.put_sensor(row, "load_ratio", "engine_load");
	of.put(row, "memory_bytes", ACCEL_NUMBER_LOCAL_MEMORY_BYTES);
	of.put(row, "memory_free_bytes", ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES);
	of.put(row, "contexts", ACCEL_NUMBER_CONTEXTS);
	of.put(row, "queues", ACCEL_NUMBER_QUEUES);
	now.put_counter(row, "command_errors", "command_errors");
	now.put_counter(row, "access_faults", "access_faults");
	of.put(row, "resets", ACCEL_NUMBER_RESET_COUNT);
	put_health(of, now, row);
}

} // namespace

void add_status(CLI::App &app, session &s)
{
	/* Under --watch the cards stay open from one look to the next. */
	const auto cards = std::make_shared<std::unique_ptr<card_set>>();
	const auto run = [&s, cards] {
		report out("status");
		if (!*cards)
			*cards = std::make_unique<card_set>(s.set, unselected::all);
		(*cards)->visit(out, order::together, fill_row);
		return out;
	};
	CLI::App *const verb = add_verb(
		app, s,
		{ "status",
		  "Show health, temperature, power, load and errors; fails if a card is critical",
		  "status\n"
		  "status --watch 2\n"
		  "status -d 0x0ac1000000000001 -o json" },
		run);
	add_selection(*verb, s);
	add_watch(*verb, s);
}

} // namespace accelctl
