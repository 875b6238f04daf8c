// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl health: what each card is good for, why, what to do, and what its driver did about it so
// far. It asks the driver, who waits for no card and no client. The exit code follows the worst card.
#include "verb.hpp"

#include <algorithm>
#include <ctime>

namespace accelctl
{

namespace
{

double seconds_since(std::uint64_t boot_ns)
{
	timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	const double then = static_cast<double>(boot_ns) / 1e9;
	const double at = static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
	return std::max(at - then, 0.0);
}

tree rung_json(accel_rung rung, const accel_rung_history &history)
{
	tree out;

	out["rung"] = accel_rung_name(rung);
	out["tried"] = history.tried;
	out["helped"] = history.helped;
	out["last_seconds"] = static_cast<double>(history.last_ns) / 1e9;
	out["longest_seconds"] = static_cast<double>(history.longest_ns) / 1e9;
	out["last_cause"] = accel_cause_name(history.last_cause);
	return out;
}

/* Those that were tried. */
void put_rungs(const card &of, tree &row)
{
	row["rungs"] = tree::array();
	for (unsigned i = 0; i < ACCEL_RUNG_COUNT; i++) {
		const auto rung = static_cast<accel_rung>(i);
		accel_rung_history history{};
		const int error = accel_device_rung(of.device(), rung, &history);
		if (error != 0)
			throw library_failure(error, of.name());
		if (history.tried > 0)
			row["rungs"].push_back(rung_json(rung, history));
	}
}

tree allowed_json(std::uint32_t mask)
{
	tree out = tree::array();

	for (unsigned i = 0; i < ACCEL_RUNG_COUNT; i++) {
		if (mask & (1u << i))
			out.push_back(accel_rung_name(i));
	}
	return out;
}

/* Works, at least somehow: nothing. */
void judge(const card &of, const accel_health &now)
{
	const std::string state = accel_health_state_name(now.state);

	if (state == "ok" || state == "degraded")
		return;
	throw failure(state == "unknown" ? exit_code::skipped : exit_code::check_failed, of.name(),
		      state + ": " + accel_health_reason_text(now.reason),
		      accel_health_action_text(now.action));
}

void fill_row(card &of, tree &row)
{
	accel_health now{};
	const int error = accel_device_health(of.device(), &now);
	if (error != 0)
		throw library_failure(error, of.name());

	row["health"] = accel_health_state_name(now.state);
	row["reason"] = accel_health_reason_name(now.reason);
	row["meaning"] = accel_health_reason_text(now.reason);
	row["argument"] = now.argument;
	row["action"] = accel_health_action_name(now.action);
	row["advice"] = accel_health_action_text(now.action);
	row["since_seconds"] = seconds_since(now.since_ns);
	row["generation"] = now.generation;
	row["held"] = now.is_held != 0;
	row["rungs_allowed"] = allowed_json(now.rungs_allowed);
	put_rungs(of, row);
	judge(of, now);
}

/* The worst first; a card that works does not make the others' failure a partial one. */
void order_errors(report &out)
{
	const auto rank = [](const failure &one) {
		return one.code() == exit_code::skipped ? 1 : 0;
	};
	std::stable_sort(out.errors.begin(), out.errors.end(),
			 [&](const failure &a, const failure &b) { return rank(a) < rank(b); });
	out.is_partial = false;
}

} // namespace

void add_health(CLI::App &app, session &s)
{
	const auto cards = std::make_shared<std::unique_ptr<card_set>>();
	const auto run = [&s, cards] {
		report out("health");
		if (!*cards)
			*cards = std::make_unique<card_set>(s.set, unselected::all);
		(*cards)->visit(out, order::together, fill_row);
		order_errors(out);
		return out;
	};
	CLI::App *const verb = add_verb(
		app, s,
		{ "health",
		  "Show what cards are good for, why, and what was done about it; fails with 6 if one "
		  "does not work, with 7 if one is being recovered",
		  "health\n"
		  "health --watch 1\n"
		  "health -d 0 -o json" },
		run);
	add_selection(*verb, s);
	add_watch(*verb, s);
}

} // namespace accelctl
