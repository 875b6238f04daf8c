// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl status: how the cards are doing. Health is judged by the limits in the card's own
// firmware; a card in critical health fails the verb, so that scripts need not parse.
#include "verb.hpp"

#include <optional>

#include "telemetry.hpp"

namespace accelctl
{

namespace
{

/* A card that does not answer must not keep the others' rows back. */
constexpr std::int64_t TIMEOUT_NS = 50'000'000;

void put_health(const card &of, const telemetry &now, tree &row)
{
	if (const auto why = now.over_limit(true)) {
		row["health"] = "critical";
		throw failure(exit_code::check_failed, of.name(), *why, "check power and cooling");
	}
	const auto why = now.over_limit(false);
	row["health"] = why ? "warning" : "ok";
	if (why)
		row["warning"] = *why;
}

/* What the card itself is asked for; the time it has is over all of it. */
void put_telemetry(const telemetry &now, tree &row)
{
	now.put_sensor(row, "temperature_celsius", "chip_temp");
	now.put_sensor(row, "power_watts", "card_power");
	now.put_sensor(row, "load_ratio", "engine_load");
	now.put_counter(row, "command_errors", "command_errors");
	now.put_counter(row, "access_faults", "access_faults");
	if (now.age_seconds() > 0)
		row["telemetry_age_seconds"] = now.age_seconds();
}

std::optional<telemetry> ask(const card &of, tree &row, std::optional<failure> &late)
{
	try {
		return std::optional<telemetry>(std::in_place, of, TIMEOUT_NS);
	} catch (const failure &error) {
		if (error.code() != exit_code::timeout)
			throw;
		late = error;
	}
	for (const char *key : { "temperature_celsius", "power_watts", "load_ratio",
				 "command_errors", "access_faults" })
		set_absent(row, key, "the card did not answer in time");
	return std::nullopt;
}

/* row has the card's word. */
void check_state(const card &of, tree &row)
{
	const std::string state = row["state"].is_string() ? row["state"].get<std::string>() : "";
	if (state == "running")
		return;
	row["health"] = "critical";
	if (state == "failed")
		throw failure(
			exit_code::check_failed, of.name(),
			of.string(ACCEL_STRING_FAIL_REASON).value_or("the firmware is not running"),
			"load firmware: accelctl fw load");
	throw failure(exit_code::check_failed, of.name(), "the firmware is not running",
		      "see accelctl health, or load firmware: accelctl fw load");
}

/* What the driver knows already, so that a card in trouble is not asked. */
void check_health(const card &of, tree &row)
{
	accel_health now{};
	if (accel_device_health(of.device(), &now) != 0)
		return;
	const std::string state = accel_health_state_name(now.state);
	if (state == "ok" || state == "degraded" || state == "needs_firmware")
		return;
	row["health"] = state == "unknown" ? "unknown" : "critical";
	throw failure(state == "unknown" ? exit_code::skipped : exit_code::check_failed, of.name(),
		      accel_health_reason_text(now.reason), accel_health_action_text(now.action));
}

void fill_row(card &of, tree &row)
{
	row["health"] = "unknown";
	of.put(row, "state", ACCEL_STRING_STATE, "the card does not tell");
	check_health(of, row);
	check_state(of, row);
	std::optional<failure> late;
	const std::optional<telemetry> now = ask(of, row, late);
	if (now)
		put_telemetry(*now, row);
	of.put(row, "memory_bytes", ACCEL_NUMBER_LOCAL_MEMORY_BYTES);
	of.put(row, "memory_free_bytes", ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES);
	of.put(row, "contexts", ACCEL_NUMBER_CONTEXTS);
	of.put(row, "queues", ACCEL_NUMBER_QUEUES);
	of.put(row, "resets", ACCEL_NUMBER_RESET_COUNT);
	if (late)
		throw *late;
	put_health(of, *now, row);
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
