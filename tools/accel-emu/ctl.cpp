// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See ctl.hpp.
#include "ctl.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <system_error>

#include <control/catalogue.hpp>
#include <nlohmann/json.hpp>
#include <vfio_user/unique_fd.hpp>

using nlohmann::json;
using oac::vfio_user::unique_fd;
namespace control = oac::emu::control;

static constexpr time_t PATIENCE_S = 30;

/* What the user can mend, by code. */
class ctl_error : public std::runtime_error
{
public:
	ctl_error(ctl_exit how, const std::string &text) : std::runtime_error(text), code(how) {}
	const ctl_exit code;
};

/* A number, or the word as it is. */
static json value_of(const std::string &text)
{
	const json parsed = json::parse(text, nullptr, false);
	return parsed.is_number() ? parsed : json(text);
}

/* "at.ms=5" goes into the object "at". */
static void put(json &request, const std::string &word)
{
	const std::size_t equals = word.find('=');
	const std::string key = word.substr(0, equals);
	const std::size_t dot = key.find('.');
	const json value = value_of(word.substr(equals + 1));

	if (dot == key.npos)
		request[key] = value;
	else
		request[key.substr(0, dot)][key.substr(dot + 1)] = value;
}

static std::string request_of(const std::vector<std::string> &words)
{
	static const std::map<std::string, std::vector<const char *>> PLACES{
		{ "inject", { "fault" } },
		{ "clear", { "id" } },
		{ "set_sensor", { "sensor", "value" } },
		{ "log", { "from" } },
	};

	if (words.size() == 1 && words[0].starts_with('{')) {
		const json given = json::parse(words[0], nullptr, false);
		if (given.is_discarded())
			throw ctl_error(CTL_USAGE, "the request is no JSON object");
		return given.dump();
	}
	json request{ { "request", words[0] } };
	const auto places = PLACES.find(words[0]);
	std::size_t place = 0;
	for (std::size_t i = 1; i < words.size(); i++) {
		if (words[i].find('=') != std::string::npos) {
			put(request, words[i]);
			continue;
		}
		if (places == PLACES.end() || place == places->second.size())
			throw ctl_error(CTL_USAGE,
					"'" + words[i] + "' is not of the form key=value");
		request[places->second[place++]] = value_of(words[i]);
	}
	return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

static std::string socket_of(const ctl_options &options)
{
	struct stat info;

	if (stat(options.target.c_str(), &info))
		throw ctl_error(
			CTL_UNREACHABLE,
			options.target + ": " + std::generic_category().message(errno) +
				": give the --dir of accel-emu serve, or a control socket in it");
	if (!S_ISDIR(info.st_mode))
		return options.target;
	return options.target + "/card" + std::to_string(options.card) + ".ctl";
}

static unique_fd connect_to(const std::string &path)
{
	sockaddr_un address{};
	const timeval patience{ PATIENCE_S, 0 };

	if (path.size() >= sizeof(address.sun_path))
		throw ctl_error(CTL_USAGE, "socket path " + path + " is too long");
	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
	unique_fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)))
		throw ctl_error(CTL_UNREACHABLE, "no card at " + path + ": " +
							 std::generic_category().message(errno));
	return fd;
}

static std::string exchange(const unique_fd &fd, const std::string &request)
{
	const std::string line = request + '\n';
	std::string reply;
	char part[4096];

	if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
	    static_cast<ssize_t>(line.size()))
		throw ctl_error(CTL_UNREACHABLE, "the request could not be sent");
	while (reply.empty() || reply.back() != '\n') {
		const ssize_t got = recv(fd.get(), part, sizeof(part), 0);
		if (got <= 0)
			throw ctl_error(CTL_UNREACHABLE,
					got == 0 ? "the server closed the connection" :
						   "no reply for " + std::to_string(PATIENCE_S) +
							   " seconds");
		reply.append(part, static_cast<std::size_t>(got));
	}
	return reply;
}

int ctl(const ctl_options &options)
{
	try {
		const std::string request = request_of(options.words);
		const std::string text = exchange(connect_to(socket_of(options)), request);
		const json reply = json::parse(text, nullptr, false);
		if (!reply.is_object())
			throw ctl_error(CTL_UNREACHABLE, "the reply is no JSON object");
		if (reply.value("ok", false)) {
			std::printf("%s\n", reply.dump(options.is_raw ? -1 : 2).c_str());
			return CTL_OK;
		}
		throw ctl_error(CTL_REFUSED, reply.value("error", "refused"));
	} catch (const ctl_error &e) {
		std::fprintf(stderr, "accel-emu: %s\n", e.what());
		return e.code;
	} catch (const json::exception &e) {
		std::fprintf(stderr, "accel-emu: the request is not usable: %s\n", e.what());
		return CTL_USAGE;
	}
}

/* A parameter as the table has it: name, default, words. */
static std::string cell_of(const control::fault_kind &kind, std::string_view word)
{
	const control::parameter_kind &which =
		*control::find_parameter(word.substr(0, word.find('=')));
	std::string text = "`" + std::string(word) + "`";

	if (which.id == control::parameter::field) {
		text += " of ";
		text += control::listed(control::words_of(kind.fields));
	}
	return text;
}

std::string fault_table()
{
	std::string table = "| fault | what happens | acts on | parameters, with defaults |\n"
			    "|---|---|---|---|\n";

	for (const control::fault_kind &kind : control::all_faults()) {
		std::string cells;
		for (const std::string_view word : control::words_of(kind.parameters, ' '))
			cells += (cells.empty() ? "" : "; ") + cell_of(kind, word);
		const std::string_view on = kind.is_lasting ? "lasts" :
					    kind.on == control::happening::none ?
							      "the card" :
							      control::name_of(kind.on);
		table += "| `" + std::string(kind.name) + "` | " + std::string(kind.text) + " | " +
			 std::string(on) + " | " + cells + " |\n";
	}
	table += "\n| parameter | values | meaning |\n|---|---|---|\n";
	for (const control::parameter_kind &which : control::all_parameters()) {
		std::string values = std::to_string(which.min) + " to " + std::to_string(which.max);
		if (which.id == control::parameter::field)
			values = "see the fault";
		else if (which.id == control::parameter::value)
			values = "any whole number";
		else if (!which.words.empty())
			values = control::listed(control::words_of(which.words));
		table += "| `" + std::string(which.name) + "` | " + values + " | " +
			 std::string(which.text) + " |\n";
	}
	table += "\n| `at` counts | |\n|---|---|\n";
	for (const control::happening_kind &each : control::counted_happenings())
		table += "| `" + std::string(each.name) + "` | " + std::string(each.text) + " |\n";
	return table;
}
