// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See requests.hpp.
#include "requests.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <hw/oac_regs.h>
#include <hw/oac_telemetry.h>
#include <nlohmann/json.hpp>

namespace oac::emu::control
{

using nlohmann::json;

namespace
{

constexpr std::uint64_t NS_PER_MS = 1000000;
constexpr std::uint64_t MS_MAX = 3600000, TIMES_MAX = 1000000000;
constexpr std::uint64_t TIMES_AT_ONCE_MAX = 1000; /* the card stands still meanwhile */
constexpr std::size_t FAULTS_MAX = 1024;

using phase = injector::fault_state::phase;

class wrong_request : public std::invalid_argument
{
public:
	using std::invalid_argument::invalid_argument;
};

/* No key but these. */
void check_keys(const json &in, const std::vector<std::string_view> &legal, const char *where)
{
	for (const auto &[key, value] : in.items()) {
		if (std::find(legal.begin(), legal.end(), key) == legal.end())
			throw wrong_request(std::string(where) + " does not take '" + key +
					    "'; it takes " + listed(legal));
	}
}

std::uint64_t number_in(const json &in, const char *key, std::uint64_t otherwise,
			std::uint64_t least, std::uint64_t most)
{
	const auto found = in.find(key);

	if (found == in.end())
		return otherwise;
	if (!found->is_number_integer() || *found < least || *found > most)
		throw wrong_request(std::string(key) + " is " + found->dump() +
				    ": it is a whole number from " + std::to_string(least) +
				    " to " + std::to_string(most));
	return found->get<std::uint64_t>();
}

std::string word_in(const json &in, const char *key)
{
	const auto found = in.find(key);

	if (found == in.end() || !found->is_string())
		throw wrong_request(std::string("'") + key + "' is missing, or is no text");
	return found->get<std::string>();
}

trigger trigger_in(const json &request)
{
	const auto found = request.find("at");
	trigger at;

	if (found == request.end())
		return at;
	if (!found->is_object() || found->size() != 1)
		throw wrong_request("'at' is an object with one key: ms, or what is counted");
	const std::string key = found->begin().key();
	if (key == "ms") {
		at.after_ns = number_in(*found, "ms", 0, 0, MS_MAX) * NS_PER_MS;
		return at;
	}
	const auto on = find_happening(key);
	if (!on) {
		auto legal = all_happenings();
		legal.front() = "ms";
		throw wrong_request("'at' does not know '" + key + "'; it knows " + listed(legal));
	}
	at.on = *on;
	at.nth = number_in(*found, key.c_str(), 1, 1, TIMES_MAX);
	return at;
}

std::vector<std::string_view> fault_names()
{
	std::vector<std::string_view> all;

	for (const fault_kind &kind : all_faults())
		all.push_back(kind.name);
	return all;
}

void take_arguments(const json &request, injection &what)
{
	const std::vector<std::string_view> general = { "request", "fault",	  "at",
							"times",   "probability", "seed" };
	auto legal = general;

	for (const parameter_kind &which : all_parameters()) {
		if (!what.kind->takes(which.id))
			continue;
		legal.push_back(which.name);
		const std::string_view preset = what.kind->preset(which.id);
		const auto given = request.find(which.name);
		if (given == request.end() && preset.empty())
			continue;
		const std::string text = given == request.end() ? std::string(preset) :
					 given->is_string()	? given->get<std::string>() :
								  given->dump();
		what.args.set(which.id, parse_value(*what.kind, which, text));
	}
	check_keys(request, legal, what.kind->name.data());
}

injection injection_in(const json &request)
{
	const std::string name = word_in(request, "fault");
	injection what;

	what.kind = find_fault(name);
	if (!what.kind)
		throw wrong_request("there is no fault '" + name + "'; there are " +
				    listed(fault_names()));
	take_arguments(request, what);
	what.at = trigger_in(request);
	what.times = number_in(request, "times", 1, 0, TIMES_MAX);
	what.seed = number_in(request, "seed", 1, 0, UINT64_MAX);
	what.probability = what.kind->id == fault::malicious ? 0.02 : 1.0;
	if (const auto chance = request.find("probability"); chance != request.end()) {
		if (!chance->is_number() || !(*chance >= 0.0) || *chance > 1.0)
			throw wrong_request("probability is a number from 0 to 1");
		what.probability = chance->get<double>();
	}
	if (what.kind->is_lasting && what.times != 1)
		throw wrong_request(name + " lasts until it heals: it has no 'times'");
	if (what.times == 0 && what.kind->on == happening::none && what.at.on == happening::none)
		throw wrong_request("times 0 is without end: " + name +
				    " then needs an 'at' that counts");
	if (what.times > TIMES_AT_ONCE_MAX && what.kind->on == happening::none &&
	    what.at.on == happening::none && !what.at.after_ns)
		throw wrong_request(
			"times is " + std::to_string(what.times) +
			": without 'at', where all of them are at once, it is at most " +
			std::to_string(TIMES_AT_ONCE_MAX));
	return what;
}

json do_inject(injector &to, const json &request)
{
	injection what = injection_in(request);
	const auto waiting =
		std::count_if(to.faults().begin(), to.faults().end(),
			      [](const injector::fault_state &f) { return f.now != phase::done; });

	if (static_cast<std::size_t>(waiting) >= FAULTS_MAX)
		throw wrong_request("too many faults wait: clear some");
	return { { "ok", true }, { "id", to.inject(std::move(what)) } };
}

/* At once, or as a plan that waits for its trigger. */
json do_planned(injector &to, const json &request, const std::string &subject,
		std::function<std::string()> work)
{
	injection what;

	what.at = trigger_in(request);
	what.plan = std::move(work);
	what.subject = subject;
	return { { "ok", true }, { "id", to.inject(std::move(what)) } };
}

json do_clear(injector &to, const json &request)
{
	check_keys(request, { "request", "id", "at" }, "clear");
	const auto id = static_cast<unsigned>(number_in(request, "id", 0, 1, UINT32_MAX));
	if (request.contains("at"))
		return do_planned(to, request, "clear", [&to, id] {
			return std::string(to.clear(id) ? "" : "no such fault");
		});
	if (!to.clear(id))
		throw wrong_request("there is no fault " + std::to_string(id) +
				    " that waits or holds");
	return { { "ok", true } };
}

json do_set_sensor(injector &to, const json &request)
{
	check_keys(request, { "request", "sensor", "value", "at" }, "set_sensor");
	const fault_kind &thermal = *find_fault("thermal");
	const auto sensor = static_cast<unsigned>(
		parse_value(thermal, kind_of(parameter::sensor), word_in(request, "sensor")));
	std::optional<std::int64_t> value;
	if (const auto given = request.find("value"); given != request.end()) {
		if (!given->is_number_integer())
			throw wrong_request("value is a whole number, in the sensor's unit");
		value = given->get<std::int64_t>();
	}
	const auto work = [&to, sensor, value] {
		return std::string(to.target().set_sensor(sensor, value) ?
					   "" :
					   "no such sensor in the firmware that runs");
	};
	if (request.contains("at"))
		return do_planned(to, request, "set_sensor", work);
	if (const std::string problem = work(); !problem.empty())
		throw wrong_request(problem);
	return { { "ok", true } };
}

json do_list(injector &, const json &request)
{
	check_keys(request, { "request" }, "list");
	json faults = json::array();
	for (const fault_kind &kind : all_faults()) {
		json parameters = json::object();
		for (const std::string_view word : words_of(kind.parameters, ' ')) {
			const parameter_kind &which =
				*find_parameter(word.substr(0, word.find('=')));
			json one = { { "text", which.text } };
			if (const auto words = kind.words(which); !words.empty())
				one["words"] = words_of(words);
			if (const auto preset = kind.preset(which.id); !preset.empty())
				one["default"] = preset;
			parameters[std::string(which.name)] = std::move(one);
		}
		faults.push_back({ { "fault", kind.name },
				   { "text", kind.text },
				   { "acts_on", name_of(kind.on) },
				   { "lasts", kind.is_lasting },
				   { "parameters", std::move(parameters) } });
	}
	auto counted = all_happenings();
	counted.erase(counted.begin());
	return { { "ok", true }, { "faults", std::move(faults) }, { "counted", counted } };
}

json do_log(injector &to, const json &request)
{
	check_keys(request, { "request", "from" }, "log");
	const std::uint64_t from = number_in(request, "from", 1, 0, INT64_MAX);
	json lines = json::array();
	for (const log_line &line : to.log()) {
		if (line.seq >= from)
			lines.push_back({ { "seq", line.seq },
					  { "card_ns", line.card_ns },
					  { "id", line.id },
					  { "what", line.what },
					  { "fault", line.subject },
					  { "detail", line.detail } });
	}
	return { { "ok", true }, { "log", std::move(lines) } };
}

std::string_view state_name(std::uint32_t state)
{
	switch (state) {
#define OAC_STATE_CASE(name) \
	case OAC_STATE_##name: \
		return #name;
		OAC_STATES(OAC_STATE_CASE)
#undef OAC_STATE_CASE
	}
	return "?";
}

json do_state(injector &to, const json &request)
{
	constexpr std::string_view PHASES[] = { "waits", "acts", "holds", "done" };

	check_keys(request, { "request" }, "state");
	json faults = json::array();
	for (const injector::fault_state &f : to.faults()) {
		if (f.now == phase::done)
			continue;
		faults.push_back({ { "id", f.id },
				   { "fault", f.what.kind ? std::string(f.what.kind->name) :
							    f.what.subject },
				   { "state", PHASES[static_cast<unsigned>(f.now)] },
				   { "fired", f.fired },
				   { "counted", f.counted } });
	}
	return { { "ok", true },
		 { "state", state_name(to.target().state()) },
		 { "dead", to.is_dead() },
		 { "card_ns", to.target().now_ns() },
		 { "faults", std::move(faults) } };
}

struct request_kind {
	std::string_view name;
	json (*work)(injector &, const json &);
};

constexpr request_kind REQUESTS[] = {
	{ "inject", do_inject }, { "clear", do_clear },		  { "list", do_list },
	{ "log", do_log },	 { "set_sensor", do_set_sensor }, { "state", do_state },
};

json dispatch(injector &to, const json &request)
{
	const std::string name = word_in(request, "request");
	std::vector<std::string_view> legal;

	for (const request_kind &kind : REQUESTS) {
		if (kind.name == name)
			return kind.work(to, request);
		legal.push_back(kind.name);
	}
	throw wrong_request("there is no request '" + name + "'; there are " + listed(legal));
}

} // namespace

std::string answer(injector &to, std::string_view request)
{
	const json parsed = json::parse(request, nullptr, false);
	json reply;

	if (!parsed.is_object())
		return {};
	try {
		reply = dispatch(to, parsed);
	} catch (const std::invalid_argument &e) {
		reply = { { "ok", false }, { "error", e.what() } };
	}
	return reply.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace oac::emu::control
