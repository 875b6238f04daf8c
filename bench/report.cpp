// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See report.hpp.
#include "report.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace bench
{

namespace
{

using json = nlohmann::ordered_json;

json number_or_null(double value)
{
	return value != 0 ? json(value) : json(nullptr);
}

json to_json(const row &of)
{
	json made;
	made["name"] = of.name;
	made["goal_number"] = of.goal_number ? json(of.goal_number) : json(nullptr);
	made["what"] = of.what;
	made["unit"] = of.unit;
	made["value"] = number_or_null(of.value);
	made["floor_name"] = of.floor_name;
	made["floor"] = number_or_null(of.floor);
	made["ratio"] = number_or_null(of.ratio);
	made["ratio_min"] = number_or_null(of.ratio_min);
	made["ratio_max"] = number_or_null(of.ratio_max);
	made["goal"] = number_or_null(of.goal);
	made["stretch"] = number_or_null(of.stretch);
	made["goal_is"] = of.is_at_least ? "at least" : "at most";
	made["goal_on"] = "ratio";
	made["met"] = of.met ? json(*of.met) : json(nullptr);
	made["clean_pairs"] = of.clean_pairs;
	made["dropped_pairs"] = of.dropped_pairs;
	made["note"] = of.note;
	return made;
}

std::string figure_text(double value)
{
	char text[32];
	std::snprintf(text, sizeof(text), value == 0 ? "-" : "%.4g", value);
	return text;
}

std::string verdict(const row &of)
{
	if (of.goal == 0)
		return "";
	if (!of.met)
		return "no verdict";
	return *of.met ? "met" : "not met";
}

} // namespace

void write_json(const std::string &path, const std::vector<row> &rows)
{
	json all;
	all["rows"] = json::array();
	for (const row &one : rows)
		all["rows"].push_back(to_json(one));
	const std::string text = all.dump(1, '\t') + "\n";
	if (path == "-") {
		std::fputs(text.c_str(), stdout);
		return;
	}
	std::ofstream file(path);
	file << text;
	if (!file.flush())
		throw std::runtime_error(path + ": cannot be written");
}

void print_heading()
{
	std::printf("%4s  %-28s %10s %-5s  %-30s %10s %8s  %-10s %s\n", "goal", "figure", "value",
		    "", "over", "floor", "ratio", "goal", "");
}

void print_row(const row &of)
{
	std::string goal;
	if (of.goal != 0)
		goal = (of.is_at_least ? ">= " : "<= ") + figure_text(of.goal);
	std::printf("%4s  %-28s %10s %-5s  %-30s %10s %8s  %-10s %s%s\n",
		    of.goal_number ? std::to_string(of.goal_number).c_str() : "", of.name.c_str(),
		    figure_text(of.value).c_str(), of.unit.c_str(), of.floor_name.c_str(),
		    figure_text(of.floor).c_str(), figure_text(of.ratio).c_str(), goal.c_str(),
		    verdict(of).c_str(), of.note.empty() ? "" : ("  (" + of.note + ")").c_str());
	std::fflush(stdout);
}

} // namespace bench
