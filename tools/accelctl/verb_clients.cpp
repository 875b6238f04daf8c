// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl clients: who uses the cards, what each holds and has spent. A user sees his own clients,
// root all.
#include "verb.hpp"

#include <fstream>

namespace accelctl
{

namespace
{

std::vector<accel_client> read_clients(const card &of)
{
	std::vector<accel_client> clients(64);
	for (;;) {
		const int count = accel_device_clients(of.device(), clients.data(),
						       static_cast<int>(clients.size()));
		if (count < 0)
			throw library_failure(count, of.name());
		const bool has_all = static_cast<std::size_t>(count) <= clients.size();
		clients.resize(static_cast<std::size_t>(count));
		if (has_all)
			return clients;
	}
}

/* The name of a process that may have ended meanwhile. */
std::string command_of(std::int32_t pid)
{
	std::ifstream from("/proc/" + std::to_string(pid) + "/comm");
	std::string name;
	std::getline(from, name);
	return name;
}

tree client_json(const accel_client &client)
{
	tree out;

	if (client.pid > 0)
		out["pid"] = client.pid;
	else
		set_absent(out, "pid", "not in this pid namespace");
	const std::string command = client.pid > 0 ? command_of(client.pid) : "";
	if (!command.empty())
		out["command"] = command;
	else
		set_absent(out, "command", "the process cannot be seen");
	out["uid"] = client.uid;
	out["contexts"] = client.contexts;
	out["queues"] = client.queues;
	out["host_bytes"] = client.host_bytes;
	out["local_bytes"] = client.local_bytes;
	out["pinned_bytes"] = client.pinned_bytes;
	out["compute_seconds"] = static_cast<double>(client.compute_ns) / 1e9;
	out["copy_seconds"] = static_cast<double>(client.copy_ns) / 1e9;
	out["commands"] = client.commands;
	return out;
}

void fill_row(card &of, tree &row)
{
	const auto clients = read_clients(of);
	row["clients"] = tree::array();
	for (const accel_client &client : clients)
		row["clients"].push_back(client_json(client));
}

} // namespace

void add_clients(CLI::App &app, session &s)
{
	const auto run = [&s] {
		report out("clients");
		card_set(s.set, unselected::all).visit(out, order::one_by_one, fill_row);
		return out;
	};
	CLI::App *const verb = add_verb(app, s,
					{ "clients",
					  "Show who uses the cards, and what each holds and spent; "
					  "of other users only for root",
					  "clients\n"
					  "clients -d 0 -o json" },
					run);
	add_selection(*verb, s);
}

} // namespace accelctl
