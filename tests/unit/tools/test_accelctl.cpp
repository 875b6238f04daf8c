// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What accelctl prints: JSON with schema whatever happens, help with examples, and the texts made
// from its tree of commands.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

#include "accelctl_run.hpp"
#include "exit_code.hpp"

namespace
{

/* A name that is null has its reason beside it, everywhere. */
void expect_reasons(const nlohmann::json &value, const std::string &path)
{
	if (!value.is_structured())
		return;
	for (const auto &[key, member] : value.items()) {
		if (member.is_null()) {
			EXPECT_TRUE(value.contains(key + "_reason")) << path << "/" << key;
		}
		expect_reasons(member, path + "/" + key);
	}
}

nlohmann::json document(const std::string &arguments, const std::string &schema)
{
	const run_result r = run(arguments + " -o json");
	const nlohmann::json out = r.json();

	EXPECT_EQ(r.code, 0) << r.err;
	EXPECT_EQ(out.at("schema"), schema);
	EXPECT_EQ(out.at("errors"), nlohmann::json::array());
	expect_reasons(out, "");
	return out;
}

TEST(accelctl, list_shows_two_cards)
{
	const nlohmann::json out = document("list", "accel.list/1");

	ASSERT_EQ(out.at("cards").size(), 2u);
	for (const auto &card : out.at("cards")) {
		EXPECT_EQ(card.at("id").get<std::string>().substr(0, 6), "0x0ac1");
		EXPECT_EQ(card.at("state"), "running");
		EXPECT_EQ(card.at("model"), "OAC-1 emulated");
		EXPECT_EQ(card.at("firmware_version"), "1.0.0");
	}
	EXPECT_NE(out.at("cards")[0].at("id"), out.at("cards")[1].at("id"));
}

TEST(accelctl, list_as_table_is_a_line_per_card)
{
	const run_result r = run("list");

	EXPECT_EQ(r.out.find("ID "), 0u) << r.out;
	EXPECT_NE(r.out.find("\n0x0ac1"), std::string::npos) << r.out;
}

TEST(accelctl, a_card_has_many_names)
{
	const nlohmann::json first = document("list", "accel.list/1").at("cards").at(0);

	for (const std::string &name : { std::string("0"), first.at("id").get<std::string>(),
					 first.at("name").get<std::string>() })
		EXPECT_EQ(document("list -d " + name, "accel.list/1").at("cards").at(0), first);
}

TEST(accelctl, info_has_everything_of_a_card)
{
	const nlohmann::json card = document("info -d 0", "accel.info/1").at("cards").at(0);

	EXPECT_EQ(card.at("capabilities").at("engines"), 12);
	EXPECT_EQ(card.at("capabilities").at("engine_clock_hertz"), 900000000);
	EXPECT_EQ(card.at("capabilities").at("power_limit_watts"), 12.0);
	EXPECT_EQ(card.at("capabilities").at("data_types"), nlohmann::json({ "int8", "fp32" }));
	EXPECT_EQ(card.at("firmware").at("version"), "1.0.0");
	EXPECT_EQ(card.at("sensors").at("chip_temp_critical_celsius"), 100.0);
	EXPECT_GT(card.at("sensors").at("chip_temp_celsius"), 0.0);
	EXPECT_GE(card.at("counters").at("boots"), 1);
}

TEST(accelctl, status_judges_health)
{
	const nlohmann::json out = document("status", "accel.status/1");

	ASSERT_EQ(out.at("cards").size(), 2u);
	for (const auto &card : out.at("cards")) {
		EXPECT_EQ(card.at("health"), "ok");
		EXPECT_GT(card.at("power_watts"), 0.0);
		EXPECT_GT(card.at("memory_bytes"), 0);
	}
}

TEST(accelctl, absent_value_has_a_reason)
{
	const run_result r = run_with_lie("no-sensor", "status -d 0 -o json");
	const nlohmann::json card = r.json().at("cards").at(0);

	EXPECT_TRUE(card.at("temperature_celsius").is_null());
	EXPECT_EQ(card.at("temperature_celsius_reason"), "the sensor does not answer");
}

TEST(accelctl, watch_prints_a_document_a_line)
{
	const run_result r = run("status --watch 0.05 -o json | head -n 3");
	std::istringstream lines(r.out);
	std::string line;
	int count = 0;

	while (std::getline(lines, line)) {
		EXPECT_FALSE(nlohmann::json::parse(line, nullptr, false).is_discarded()) << line;
		count++;
	}
	EXPECT_EQ(count, 3);
}

TEST(accelctl, copy_test_checks_and_measures)
{
	const nlohmann::json out =
		document("copy-test --all --size 4K --size 100001 --count 4", "accel.copy-test/1");

	ASSERT_EQ(out.at("cards").size(), 2u);
	for (const auto &card : out.at("cards")) {
		EXPECT_EQ(card.at("verdict"), "passed");
		ASSERT_EQ(card.at("results").size(), 2u);
		EXPECT_EQ(card.at("results")[0].at("size_bytes"), 4096);
		EXPECT_EQ(card.at("results")[1].at("mismatched_bytes"), 0);
		EXPECT_GT(card.at("results")[1].at("throughput_bytes_per_second"), 0.0);
	}
}

TEST(accelctl, clients_show_who_asks)
{
	const nlohmann::json cards = document("clients", "accel.clients/1").at("cards");
	for (const auto &card : cards) {
		ASSERT_EQ(card.at("clients").size(), 1u) << card;
		const nlohmann::json &client = card.at("clients")[0];
		EXPECT_GT(client.at("pid"), 0);
		EXPECT_EQ(client.at("command"), "accelctl");
		EXPECT_EQ(client.at("uid"), geteuid());
		EXPECT_EQ(client.at("contexts"), 0);
		EXPECT_EQ(client.at("local_bytes"), 0);
		EXPECT_EQ(client.at("commands"), 0);
	}
	const run_result r = run("clients -d 0");
	EXPECT_NE(r.out.find("accelctl"), std::string::npos) << r.out;
	EXPECT_NE(r.out.find("COMMANDS"), std::string::npos) << r.out;
}

TEST(accelctl, free_local_memory_is_shown)
{
	const nlohmann::json status = document("status -d 0", "accel.status/1").at("cards").at(0);
	EXPECT_EQ(status.at("memory_free_bytes"), status.at("memory_bytes"));
	const nlohmann::json info = document("info -d 0", "accel.info/1").at("cards").at(0);
	EXPECT_EQ(info.at("use").at("local_memory_free_bytes"),
		  info.at("capabilities").at("local_memory_bytes"));
	EXPECT_EQ(info.at("capabilities").at("features"), nlohmann::json::array({ "user_submit" }));
}

TEST(accelctl, events_begin_with_a_boot)
{
	const nlohmann::json card = document("events -d 0", "accel.events/1").at("cards").at(0);

	ASSERT_FALSE(card.at("events").empty());
	EXPECT_EQ(card.at("lost"), 0);
	EXPECT_EQ(card.at("events")[0].at("sequence"), 1);
	EXPECT_EQ(card.at("events")[0].at("event"), "BOOTED");
	EXPECT_EQ(card.at("events")[0].at("severity"), "info");
}

TEST(accelctl, firmware_from_keys_to_card)
{
	const std::string key = scratch() + "/k", pub = scratch() + "/p", fw = scratch() + "/f.fw";
	const std::string manifest = FIRMWARE_SOURCE "/oac1.json";

	document("fw keygen " + key + " " + pub, "accel.fw-keygen/1");
	document("fw build " + manifest + " " + fw, "accel.fw-build/1");
	EXPECT_EQ(run("fw verify " + fw + " --key " + pub).code, 6);
	document("fw sign " + fw + " --key " + key, "accel.fw-sign/1");
	EXPECT_EQ(document("fw verify " + fw + " --key " + pub, "accel.fw-verify/1").at("verdict"),
		  "good");
	EXPECT_EQ(document("fw inspect " + fw, "accel.fw-inspect/1").at("manifest").at("model"),
		  "OAC-1 emulated");
	/* No card trusts that key. */
	EXPECT_EQ(run("fw load -d 0 " + fw).code, 6);
	const nlohmann::json loaded =
		document("fw load --all " + firmware("oac1.fw"), "accel.fw-load/1");
	for (const auto &card : loaded.at("cards"))
		EXPECT_EQ(card.at("verdict"), "running");
}

TEST(accelctl, keygen_overwrites_nothing)
{
	const std::string key = scratch() + "/once", pub = scratch() + "/once.pub";

	EXPECT_EQ(run("fw keygen " + key + " " + pub).code, 0);
	EXPECT_EQ(run("fw keygen " + key + " " + pub).code, 2);
}

TEST(accelctl, bad_manifest_names_line_and_key)
{
	std::ofstream(scratch() + "/bad.json") << "{\n\"colour\": 1\n}\n";
	const run_result r = run("fw build " + scratch() + "/bad.json " + scratch() + "/bad.fw");

	EXPECT_EQ(r.code, 6);
	EXPECT_NE(r.err.find("bad.json"), std::string::npos) << r.err;
	EXPECT_FALSE(std::filesystem::exists(scratch() + "/bad.fw"));
}

TEST(accelctl, json_on_every_error)
{
	const char *const failing[][2] = {
		{ "frobnicate -o json", "accel.usage/1" },
		{ "-o json frobnicate", "accel.usage/1" },
		{ "fw frobnicate --output=json", "accel.fw/1" },
		{ "list --frobnicate -ojson", "accel.list/1" },
		{ "list -d 0x0ac1ffffffffffff -o json", "accel.list/1" },
		{ "fw load /nonexistent --all -o json", "accel.fw-load/1" },
		{ "fw inspect /dev/null -o ndjson", "accel.fw-inspect/1" },
		{ "completion zsh -o json", "accel.completion/1" },
	};
	for (const auto &[arguments, schema] : failing) {
		const run_result r = run(arguments);
		EXPECT_NE(r.code, 0) << arguments;
		const nlohmann::json out = r.json();
		EXPECT_EQ(out.at("schema"), schema) << arguments;
		ASSERT_FALSE(out.at("errors").empty()) << arguments;
		EXPECT_EQ(out.at("errors")[0].at("exit_code"), r.code) << arguments;
		EXPECT_FALSE(out.at("errors")[0].at("why").get<std::string>().empty());
	}
}

const char *const verbs[] = { "",	   "list",	 "info",      "status",	    "clients",
			      "events",	   "copy-test",	 "fw",	      "fw load",    "fw build",
			      "fw sign",   "fw inspect", "fw verify", "fw keygen",  "completion",
			      "man",	   "version",	 "health",    "reset",	    "recover",
			      "self-test", "debug",	 "emu",	      "emu inject", "emu clear",
			      "emu list",  "emu state",	 "emu log" };

TEST(accelctl, help_of_every_verb_has_examples)
{
	for (const std::string verb : verbs) {
		const run_result r = run(verb + " --help");
		EXPECT_EQ(r.code, 0) << verb;
		EXPECT_NE(r.out.find("\nExamples:\n  accelctl"), std::string::npos)
			<< verb << r.out;
	}
}

TEST(accelctl, man_page_has_every_verb_and_exit_code)
{
	const run_result r = run("man");

	EXPECT_EQ(r.code, 0);
	EXPECT_EQ(r.out.find(".TH ACCELCTL 1"), 0u);
	for (const accelctl::exit_code_entry &entry : accelctl::exit_codes)
		EXPECT_NE(r.out.find("\n.B " + std::to_string(static_cast<int>(entry.code)) + "\n"),
			  std::string::npos);
	for (const std::string verb :
	     { "list", "copy\\-test", "fw load", "fw keygen", "version", "health", "events",
	       "reset", "recover", "self\\-test", "debug", "emu inject" })
		EXPECT_NE(r.out.find("\n.SS " + verb + "\n"), std::string::npos) << verb;
}

TEST(accelctl, completion_knows_the_tree)
{
	const std::string file = scratch() + "/completion";
	const run_result r = run("completion bash");

	ASSERT_EQ(r.code, 0);
	std::ofstream(file) << r.out;
	const std::string script = "bash -c 'set -u; source " + file +
				   "; COMP_WORDS=(accelctl fw l); COMP_CWORD=2; "
				   "_accelctl; [ \"${COMPREPLY[*]}\" = load ]; "
				   "a=$?; COMP_WORDS=(accelctl copy-test --si); _accelctl; "
				   "[ \"${COMPREPLY[*]}\" = --size ]; "
				   "b=$?; COMP_WORDS=(accelctl reset --ru); _accelctl; "
				   "[ \"${COMPREPLY[*]}\" = --rung ]; "
				   "c=$?; COMP_WORDS=(accelctl emu inj); _accelctl; "
				   "[ \"${COMPREPLY[*]}\" = inject ]; "
				   "d=$?; COMP_WORDS=(accelctl -o js); _accelctl; "
				   "[ \"${COMPREPLY[*]}\" = json ] && exit $((a + b + c + d))'";
	EXPECT_EQ(std::system(script.c_str()), 0);
}

TEST(accelctl, version_is_the_projects)
{
	const nlohmann::json out = document("version", "accel.version/1");

	EXPECT_EQ(out.at("accelctl"), OAC_VERSION);
	EXPECT_EQ(out.at("libaccel"), OAC_VERSION);
}

} // namespace
