// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl completion: a shell script that completes what the tree of commands has.
#include "verb.hpp"

#include <fmt/format.h>

#include "command_tree.hpp"

namespace accelctl
{

namespace
{

constexpr char HEAD[] = R"(# bash completion for accelctl, made by: accelctl completion bash
_accelctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "${verb:+$verb }$word" in
)";

constexpr char MIDDLE[] = R"(			verb=${verb:+$verb }$word ;;
		esac
	done
	case $prev in
	-o | --output)
		COMPREPLY=($(compgen -W 'table json ndjson' -- "$cur"))
		return ;;
	-d | --device)
		COMPREPLY=($(compgen -G '/dev/accel/*'; compgen -W 'emu:0' -- "$cur"))
		return ;;
	esac
	case $verb in
)";

constexpr char TAIL[] = R"(	esac
}
complete -o default -F _accelctl accelctl
)";

void all_paths(const CLI::App &app, std::string &out)
{
	for (const CLI::App *verb : verbs_of(app)) {
		out += fmt::format("{}'{}'", out.empty() ? "\t\t" : " | ", path_of(*verb));
		all_paths(*verb, out);
	}
}

/* What may follow a verb: its verbs and options. Files are bash's own default. */
std::string words_after(const CLI::App &app)
{
	std::string out;

	for (const CLI::App *verb : verbs_of(app))
		out += verb->get_name() + " ";
	for (const CLI::Option *option : options_of(app)) {
		for (const std::string &spelling : spellings_of(*option))
			out += spelling + " ";
	}
	out.pop_back();
	return out;
}

void add_cases(const CLI::App &app, std::string &out)
{
	out += fmt::format("\t'{}')\n\t\tCOMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n",
			   path_of(app), words_after(app));
	for (const CLI::App *verb : verbs_of(app))
		add_cases(*verb, out);
}

std::string bash_script(const CLI::App &app)
{
	std::string paths, cases;

	all_paths(app, paths);
	add_cases(app, cases);
	return HEAD + paths + ")\n" + MIDDLE + cases + TAIL;
}

} // namespace

void add_completion(CLI::App &app, session &s)
{
	const auto shell = std::make_shared<std::string>();
	const auto run = [&app, shell] {
		report out("completion");
		if (*shell != "bash")
			throw failure(exit_code::skipped, "completion",
				      "shell " + *shell + " is not supported", "bash is");
		out.text = bash_script(app);
		return out;
	};
	CLI::App *const verb = add_verb(app, s,
					{ "completion", "Print a shell's completion script",
					  "completion bash > /etc/bash_completion.d/accelctl" },
					run);
	verb->add_option("shell", *shell, "bash")->required()->type_name("SHELL");
}

} // namespace accelctl
