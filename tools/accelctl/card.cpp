// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards as the verbs see them.
#include "card.hpp"

#include <cerrno>
#include <thread>

namespace accelctl
{

namespace
{

accel_device *open_device(const std::string &name)
{
	accel_device *device = nullptr;
	const int error = accel_device_open(name.c_str(), &device);

	if (error == 0)
		return device;
	if (error == -ENODEV)
		throw library_failure(error, name).with_code(exit_code::not_found);
	throw library_failure(error, name);
}

std::vector<std::string> listed_names()
{
	accel_device_list *raw = nullptr;
	const int error = accel_device_list_create(&raw);
	if (error != 0)
		throw library_failure(error, "list of cards");

	const std::unique_ptr<accel_device_list, void (*)(accel_device_list *)> list(
		raw, accel_device_list_free);
	std::vector<std::string> names;
	for (std::size_t i = 0; i < accel_device_list_count(raw); i++)
		names.emplace_back(accel_device_list_name(raw, i));
	if (names.empty())
		throw failure(exit_code::not_found, "list of cards", "no card found",
			      "load the oac module, or set ACCEL_EMU=1 for an emulated card");
	return names;
}

} // namespace

std::vector<std::string> card_names(const settings &from, unselected rule)
{
	if (!from.devices.empty() && from.all)
		throw failure(exit_code::usage, "--all", "does not go with --device");
	if (!from.devices.empty())
		return from.devices;

	std::vector<std::string> names = listed_names();
	if (names.size() > 1 && rule == unselected::only && !from.all)
		throw failure(exit_code::usage, "which card",
			      "there are " + std::to_string(names.size()) + " cards here",
			      "say --device ID or --all");
	return names;
}

card::card(const std::string &name) : name_(name), device_(open_device(name))
{
}

std::optional<std::string> card::string(accel_string which) const
{
	const char *const text = accel_device_string(device_.get(), which);

	return text ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::uint64_t> card::number(accel_number which) const
{
	std::uint64_t value = 0;

	if (accel_device_number(device_.get(), which, &value) != 0)
		return std::nullopt;
	return value;
}

void card::put(tree &row, const char *key, accel_string which, const std::string &reason) const
{
	if (const auto text = string(which))
		row[key] = *text;
	else
		set_absent(row, key, reason);
}

void card::put(tree &row, const char *key, accel_number which) const
{
	if (const auto value = number(which))
		row[key] = *value;
	else
		set_absent(row, key, "not known for this card");
}

card_set::card_set(const settings &from, unselected rule)
{
	for (std::string &name : card_names(from, rule))
		members_.push_back({ std::move(name), nullptr });
}

void card_set::visit(report &into, order how, const std::function<void(card &, tree &)> &visitor)
{
	std::vector<tree> rows(members_.size(), tree::object());
	std::vector<std::optional<failure>> errors(members_.size());

	const auto visit_one = [&](std::size_t i) {
		try {
			set_absent(rows[i], "id", "the card could not be opened");
			rows[i]["name"] = members_[i].name;
			if (!members_[i].opened)
				members_[i].opened = std::make_unique<card>(members_[i].name);
			card &it = *members_[i].opened;
			rows[i].clear();
			it.put(rows[i], "id", ACCEL_STRING_SERIAL,
			       "the card does not tell its serial number");
			it.put(rows[i], "name", ACCEL_STRING_NAME, "the card has no name");
			visitor(it, rows[i]);
		} catch (const failure &e) {
			errors[i] = e;
		} catch (const std::exception &e) {
			errors[i] = failure(exit_code::internal, members_[i].name, e.what());
		}
		if (errors[i]) {
			errors[i]->set_device(members_[i].name);
			rows[i]["error"] = errors[i]->why();
		}
	};
	if (how == order::together) {
		std::vector<std::jthread> threads;
		for (std::size_t i = 0; i < members_.size(); i++)
			threads.emplace_back(visit_one, i);
	} else {
		for (std::size_t i = 0; i < members_.size(); i++)
			visit_one(i);
	}

	into.body["cards"] = tree::array();
	for (std::size_t i = 0; i < members_.size(); i++) {
		into.body["cards"].push_back(std::move(rows[i]));
		if (errors[i])
			into.errors.push_back(*errors[i]);
		else
			into.is_partial = true;
	}
}

} // namespace accelctl
