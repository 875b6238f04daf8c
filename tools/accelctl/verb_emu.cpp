// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl emu: faults of emulated cards, through the control sockets of accel-emu. The cards are
// not opened: they may be in use, by a virtual machine or a program, which is the point of it.
#include "verb.hpp"

#include "emu_control.hpp"

namespace accelctl
{

namespace
{

struct choice {
	std::string control;		/* a socket, instead of -d */
	std::string fault;
	std::vector<std::string> arguments;	/* KEY=VALUE */
	unsigned id = 0;
	std::uint64_t from = 1;
};

/* A number, or the word as it is. */
tree value_of(const std::string &text)
{
	const tree parsed = tree::parse(text, nullptr, false);
	return parsed.is_number() ? parsed : tree(text);
}

/* "at.doorbell=5" goes into the object "at". */
void put_argument(tree &request, const std::string &word)
{
	const std::size_t equals = word.find('=');
	if (equals == 0 || equals == word.npos)
		throw failure(exit_code::usage, word, "is not of the form KEY=VALUE");
	const std::string key = word.substr(0, equals);
	const std::size_t dot = key.find('.');
	const tree value = value_of(word.substr(equals + 1));
	if (dot == key.npos)
		request[key] = value;
	else
		request[key.substr(0, dot)][key.substr(dot + 1)] = value;
}

std::vector<std::string> sockets_of(const settings &from, const choice &wanted)
{
	if (!wanted.control.empty() && (from.all || !from.devices.empty()))
		throw failure(exit_code::usage, "--control", "does not go with --device or --all");
	if (!wanted.control.empty())
		return { wanted.control };
	std::vector<std::string> paths;
	for (const std::string &name : card_names(from, unselected::only))
		paths.push_back(control_path_of(name));
	return paths;
}

/* The same request to each of the cards that were chosen. */
report ask_all(const session &s, const choice &wanted, const char *verb, const tree &request)
{
	report out(verb);
	out.body["cards"] = tree::array();
	for (const std::string &path : sockets_of(s.set, wanted)) {
		tree row;
		row["control"] = path;
		try {
			tree reply = ask_emulator(path, request);
			reply.erase("ok");
			row.update(reply);
			out.is_partial = true;
		} catch (const failure &e) {
			row["error"] = e.why();
			out.errors.push_back(e);
		}
		out.body["cards"].push_back(std::move(row));
	}
	return out;
}

using shared_choice = std::shared_ptr<choice>;

CLI::App *add_one(CLI::App &emu, session &s, const shared_choice &wanted, const verb_text &text,
		  std::function<report()> run)
{
	CLI::App *const verb = add_verb(emu, s, text, std::move(run));
	add_selection(*verb, s);
	verb->add_option("--control", wanted->control, "A control socket, instead of a card")
		->type_name("PATH");
	return verb;
}

void add_inject(CLI::App &emu, session &s)
{
	const auto wanted = std::make_shared<choice>();
	const auto run = [&s, wanted] {
		tree request{ { "request", "inject" }, { "fault", wanted->fault } };
		for (const std::string &word : wanted->arguments)
			put_argument(request, word);
		return ask_all(s, *wanted, "emu-inject", request);
	};
	CLI::App *const verb = add_one(
		emu, s, wanted,
		{ "inject", "Put a fault into emulated cards, at once or when something happens",
		  "emu inject hang_command until=soft_reset -d socket:/run/oac/card0.sock\n"
		  "emu inject crash at.command=100 --control /run/oac/card0.ctl" },
		run);
	verb->add_option("fault", wanted->fault, "Its name, of those that emu list shows")
		->required()
		->type_name("FAULT");
	verb->add_option("arguments", wanted->arguments,
			 "What the fault takes; at.WHAT=N: when, times=N, probability=P, seed=N")
		->type_name("KEY=VALUE");
}

void add_clear(CLI::App &emu, session &s)
{
	const auto wanted = std::make_shared<choice>();
	const auto run = [&s, wanted] {
		tree request{ { "request", "clear" } };
		if (wanted->id)
			request["id"] = wanted->id;
		return ask_all(s, *wanted, "emu-clear", request);
	};
	CLI::App *const verb =
		add_one(emu, s, wanted,
			{ "clear", "Take a fault, or all, out of emulated cards again",
			  "emu clear 3 -d socket:/run/oac/card0.sock" },
			run);
	verb->add_option("id", wanted->id,
			 "Its number, as inject gave it and state shows it; all if not given")
		->check(CLI::Range(1u, UINT32_MAX).description(""))
		->type_name("ID");
}

void add_log(CLI::App &emu, session &s)
{
	const auto wanted = std::make_shared<choice>();
	const auto run = [&s, wanted] {
		return ask_all(s, *wanted, "emu-log",
			       { { "request", "log" }, { "from", wanted->from } });
	};
	CLI::App *const verb = add_one(emu, s, wanted,
				       { "log", "Show what faults did, and when",
					 "emu log -d socket:/run/oac/card0.sock --from 10" },
				       run);
	verb->add_option("--from", wanted->from, "First line wanted (1)")->type_name("SEQUENCE");
}

void add_plain(CLI::App &emu, session &s, const char *request, const verb_text &text)
{
	const auto wanted = std::make_shared<choice>();
	const std::string verb_name = std::string("emu-") + text.name;
	add_one(emu, s, wanted, text, [&s, wanted, request, verb_name] {
		return ask_all(s, *wanted, verb_name.c_str(), { { "request", request } });
	});
}

} // namespace

void add_emu(CLI::App &app, session &s)
{
	CLI::App *const emu =
		app.add_subcommand("emu", "Put faults into emulated cards that accel-emu serves");

	emu->require_subcommand(1);
	emu->footer("\nExamples:\n"
		    "  accelctl emu list --control /run/oac/card0.ctl\n"
		    "  accelctl emu inject self_reset -d socket:/run/oac/card0.sock");
	add_output_option(*emu, s);
	add_inject(*emu, s);
	add_clear(*emu, s);
	add_plain(*emu, s, "list",
		  { "list", "Show all faults there are, and what each takes",
		    "emu list --control /run/oac/card0.ctl" });
	add_plain(*emu, s, "state",
		  { "state", "Show the card's state and the faults that wait or hold",
		    "emu state -d socket:/run/oac/card0.sock" });
	add_log(*emu, s);
}

} // namespace accelctl
