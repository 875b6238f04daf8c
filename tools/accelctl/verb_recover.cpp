// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl reset, recover and self-test: what one does to a card that does not work, or may not.
#include "verb.hpp"

#include <algorithm>
#include <chrono>

#include "progress.hpp"

namespace accelctl
{

namespace
{

struct choice {
	std::string rung = "soft_reset";
	std::int64_t timeout_ns = ACCEL_TIMEOUT_DEFAULT;
};

std::vector<std::string> rung_names()
{
	std::vector<std::string> names;

	for (unsigned i = ACCEL_RUNG_SOFT_RESET; i <= ACCEL_RUNG_FIRMWARE; i++)
		names.emplace_back(accel_rung_name(i));
	return names;
}

accel_rung rung_of(const std::string &name)
{
	const auto names = rung_names();
	const auto found = std::find(names.begin(), names.end(), name);
	return static_cast<accel_rung>(ACCEL_RUNG_SOFT_RESET + (found - names.begin()));
}

/* What was done to a card, timed, and how it is afterwards. */
template <typename Work>
void do_timed(card &of, tree &row, const Work &work)
{
	using clock = std::chrono::steady_clock;

	row["verdict"] = "failed";
	const clock::time_point start = clock::now();
	const int error = work(of.device());
	row["seconds"] = std::chrono::duration<double>(clock::now() - start).count();
	accel_health now{};
	const std::string text = accel_error_text();
	if (accel_device_health(of.device(), &now) == 0) {
		row["health"] = accel_health_state_name(now.state);
		row["reason"] = accel_health_reason_name(now.reason);
		row["generation"] = now.generation;
	}
	if (error != 0)
		throw library_failure(error, of.name(), text);
	row["verdict"] = "done";
}

template <typename Visit>
report run_on_cards(const session &s, const char *verb, const char *doing, const Visit &visit)
{
	report out(verb);
	card_set cards(s.set, unselected::only);
	progress line(doing, cards.count());
	cards.visit(out, order::together, [&](card &of, tree &row) {
		visit(of, row);
		line.add_done();
	});
	return out;
}

report run_reset(const session &s, const choice &wanted)
{
	return run_on_cards(s, "reset", "resetting", [&](card &of, tree &row) {
		row["rung"] = wanted.rung;
		do_timed(of, row, [&](accel_device *device) {
			return accel_device_reset(device, rung_of(wanted.rung), wanted.timeout_ns);
		});
	});
}

report run_recover(const session &s, const choice &wanted)
{
	return run_on_cards(s, "recover", "recovering", [&](card &of, tree &row) {
		do_timed(of, row, [&](accel_device *device) {
			return accel_device_recover(device, wanted.timeout_ns);
		});
	});
}

tree engines_json(std::uint64_t mask)
{
	tree out = tree::array();

	for (unsigned i = 0; i < 64; i++) {
		if (mask >> i & 1)
			out.push_back(i);
	}
	return out;
}

report run_self_test(const session &s, const choice &wanted)
{
	return run_on_cards(s, "self-test", "testing", [&](card &of, tree &row) {
		std::uint64_t failed = 0;
		do_timed(of, row, [&](accel_device *device) {
			return accel_device_self_test(device, &failed, wanted.timeout_ns);
		});
		row["verdict"] = failed ? "wrong_answers" : "passed";
		row["failed_engines"] = engines_json(failed);
		if (failed)
			throw failure(exit_code::check_failed, of.name(),
				      "engines gave wrong answers: " + row["failed_engines"].dump(),
				      "take the card out of service");
	});
}

} // namespace

void add_reset(CLI::App &app, session &s)
{
	const auto wanted = std::make_shared<choice>();
	CLI::App *const verb = add_verb(
		app, s,
		{ "reset",
		  "Reset cards, whether they work or not; all that programs have open on them "
		  "is lost",
		  "reset -d 0\n"
		  "reset --all --rung flr" },
		[&s, wanted] { return run_reset(s, *wanted); });
	add_selection(*verb, s);
	verb->add_option("--rung", wanted->rung,
			 "How: the firmware, the function, the bus, or everything with the default "
			 "image (soft_reset)")
		->check(CLI::IsMember(rung_names()))
		->type_name("RUNG");
	add_timeout(*verb, wanted->timeout_ns);
}

void add_recover(CLI::App &app, session &s)
{
	const auto wanted = std::make_shared<choice>();
	CLI::App *const verb = add_verb(
		app, s,
		{ "recover",
		  "Wait for cards that are being recovered, and recover those that are given up or held",
		  "recover --all\n"
		  "recover -d 0000:03:00.0 --timeout 60" },
		[&s, wanted] { return run_recover(s, *wanted); });
	add_selection(*verb, s);
	add_timeout(*verb, wanted->timeout_ns);
}

void add_self_test(CLI::App &app, session &s)
{
	const auto wanted = std::make_shared<choice>();
	CLI::App *const verb = add_verb(
		app, s,
		{ "self-test", "Let every engine compute known answers, between the work of others",
		  "self-test --all\n"
		  "self-test -d 0 -o json" },
		[&s, wanted] { return run_self_test(s, *wanted); });
	add_selection(*verb, s);
	add_timeout(*verb, wanted->timeout_ns);
}

} // namespace accelctl
