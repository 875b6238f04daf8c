// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Scenario files: what they become, and what is refused with its line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <control/scenario.hpp>

namespace oac::emu::control
{
namespace
{

using nlohmann::json;

void refused(const std::string &yaml, const std::string &because)
{
	try {
		read_scenario(yaml);
		ADD_FAILURE() << yaml << ": taken";
	} catch (const scenario_error &e) {
		EXPECT_NE(std::string(e.what()).find(because), std::string::npos)
			<< yaml << ": " << e.what();
	}
}

TEST(scenario, ItemsBecomeRequests)
{
	const auto all = read_scenario(
		"# what goes wrong\n"
		"- at: {doorbell: 3}\n"
		"  do: {request: inject, fault: hang_command, queue: 0x10, until: flr}\n"
		"- card: 2\n"
		"  do:\n"
		"    request: inject\n"
		"    fault: malicious\n"
		"    probability: 0.25\n"
		"    until: \"never\"\n");
	ASSERT_EQ(all.size(), 2u);
	EXPECT_EQ(json::parse(all[0].request), json::parse(R"({"request": "inject",
		"fault": "hang_command", "queue": 16, "until": "flr", "at": {"doorbell": 3}})"));
	EXPECT_FALSE(all[0].card);
	EXPECT_EQ(all[0].line, 2u);
	EXPECT_EQ(json::parse(all[1].request), json::parse(R"({"request": "inject",
		"fault": "malicious", "probability": 0.25, "until": "never"})"));
	EXPECT_EQ(all[1].card, 2u);
	EXPECT_TRUE(read_scenario("[]").empty());
}

TEST(scenario, GarbageIsRefusedWithItsLine)
{
	refused("", "line 1: a scenario is a list");
	refused("a: b", "a scenario is a list");
	refused("- x", "line 1: an item is an object");
	refused("- do: {request: state}\n- at: {ms: 1}", "line 2: an item without 'do'");
	refused("- do: {request: state}\n  when: {ms: 1}", "line 2: an item does not take 'when'");
	refused("- do: state", "'do' is an object");
	refused("- do: {fault: [1]}", "'fault' is a word or a number");
	refused("- do: {fault: {a: b}}", "'fault' is a word or a number");
	refused("- do: {at: 3}", "'at' stands beside 'do'");
	refused("- do: {a: 1, a: 2}", "'a' is there twice");
	refused("- do: {[1]: 2}", "a key is a word");
	refused("- {do: {a: 1}, at: {b: [2]}}", "'b' is a word or a number");
	refused("- {do: {a: 1}, card: 64}", "'card' is a number from 0 to 63");
	refused("- {do: {a: 1}, card: -1}", "'card' is a number");
	refused("- {do: {a: 1}, card: [0]}", "'card' is a number");
	refused("- do: {a: 1\n", "line");
	refused("\t- do", "line");
	refused("- do: *nothing", "line");
	refused(std::string(1, '\x01'), "line");
	std::string many;
	for (int i = 0; i < 1025; i++)
		many += "- do: {a: 1}\n";
	refused(many, "more than 1024 items");
}

} // namespace
} // namespace oac::emu::control
