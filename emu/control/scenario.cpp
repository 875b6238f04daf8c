// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See scenario.hpp.
#include "scenario.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "catalogue.hpp"

namespace oac::emu::control
{

using nlohmann::json;

namespace
{

constexpr std::size_t ITEMS_MAX = 1024;
constexpr unsigned CARDS_MAX = 64;

[[noreturn]] void fail(const YAML::Mark &where, const std::string &what)
{
	throw scenario_error("line " + std::to_string(std::max(where.line, 0) + 1) + ": " + what);
}

/* Plain words that are numbers are numbers, all others text; quoted words are text. */
json scalar(const YAML::Node &node)
{
	const std::string &text = node.Scalar();

	if (node.Tag() == "!")
		return text;
	if (const auto number = number_of(text))
		return *number;
	double real;
	if (YAML::convert<double>::decode(node, real))
		return real;
	return text;
}

/* Flat, or one object deep: nothing in a request is deeper. */
json object_of(const YAML::Node &node, const char *what, unsigned depth)
{
	json all = json::object();

	if (!node.IsMap())
		fail(node.Mark(), std::string("'") + what + "' is an object: key: value");
	for (const auto &item : node) {
		if (!item.first.IsScalar())
			fail(item.first.Mark(), "a key is a word");
		const std::string &key = item.first.Scalar();
		if (all.contains(key))
			fail(item.first.Mark(), "'" + key + "' is there twice");
		if (item.second.IsScalar())
			all[key] = scalar(item.second);
		else if (depth)
			all[key] = object_of(item.second, key.c_str(), depth - 1);
		else
			fail(item.second.Mark(), "'" + key + "' is a word or a number");
	}
	return all;
}

scenario_item item_of(const YAML::Node &node)
{
	scenario_item item;
	json request;

	if (!node.IsMap())
		fail(node.Mark(), "an item is an object with 'do', and 'at' and 'card' if wanted");
	for (const auto &part : node) {
		const std::string key = part.first.IsScalar() ? part.first.Scalar() : "";
		if (key != "at" && key != "do" && key != "card")
			fail(part.first.Mark(),
			     "an item does not take '" + key + "'; it takes at, do, card");
	}
	if (!node["do"])
		fail(node.Mark(), "an item without 'do'");
	request = object_of(node["do"], "do", 0);
	if (request.contains("at"))
		fail(node["do"].Mark(), "'at' stands beside 'do', not in it");
	if (node["at"])
		request["at"] = object_of(node["at"], "at", 0);
	if (node["card"]) {
		const auto number = node["card"].IsScalar() ? number_of(node["card"].Scalar()) :
							      std::nullopt;
		if (!number || *number < 0 || *number >= CARDS_MAX)
			fail(node["card"].Mark(),
			     "'card' is a number from 0 to " + std::to_string(CARDS_MAX - 1));
		item.card = static_cast<unsigned>(*number);
	}
	item.request = request.dump(-1, ' ', false, json::error_handler_t::replace);
	item.line = static_cast<unsigned>(node.Mark().line + 1);
	return item;
}

} // namespace

std::vector<scenario_item> read_scenario(const std::string &yaml)
{
	std::vector<scenario_item> all;

	try {
		const YAML::Node file = YAML::Load(yaml);
		if (!file.IsSequence())
			fail(file.Mark(), "a scenario is a list: '- do: {...}'");
		if (file.size() > ITEMS_MAX)
			throw scenario_error("more than " + std::to_string(ITEMS_MAX) + " items");
		for (const YAML::Node &node : file)
			all.push_back(item_of(node));
	} catch (const YAML::Exception &e) {
		fail(e.mark, e.msg);
	}
	return all;
}

} // namespace oac::emu::control
