// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Requests as text: what is right is done, what is wrong is told with what would be right, garbage
// is refused; triggers and probability do what they say.
#include <nlohmann/json.hpp>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

using nlohmann::json;

class request_test : public fault_bench
{
protected:
	json reply(const std::string &request)
	{
		const json parsed = json::parse(ask(request), nullptr, false);
		EXPECT_TRUE(parsed.is_object()) << request;
		return parsed;
	}
	void refused(const std::string &request, const std::string &because)
	{
		const json r = reply(request);
		EXPECT_EQ(r.at("ok"), false) << request;
		EXPECT_NE(r.value("error", "").find(because), std::string::npos)
			<< request << ": " << r.dump();
		EXPECT_TRUE(faults_->faults().empty()) << "nothing is done then";
	}
};

TEST_F(request_test, WhatIsNoObjectIsNoRequest)
{
	for (const char *text : { "", "x", "[]", "1", "null", "{", "{}}", "\"a\"", "{\"a\":}" })
		EXPECT_EQ(ask(text), "") << text;
}

TEST_F(request_test, WrongRequestsAreRefusedByName)
{
	refused("{}", "'request' is missing");
	refused(R"({"request": 1})", "'request' is missing");
	refused(R"({"request": "injekt"})", "inject, clear, list, log, set_sensor, state");
	refused(R"({"request": "inject"})", "'fault' is missing");
	refused(R"({"request": "inject", "fault": "hang"})", "hang_command, hang_firmware");
	refused(R"({"request": "inject", "fault": "crash", "vector": 1})",
		"crash does not take 'vector'");
	refused(R"({"request": "inject", "fault": "dead", "until": "tomorrow"})",
		"until is 'tomorrow': it is one of abort, queue");
	refused(R"({"request": "inject", "fault": "slow_all", "factor": 1})",
		"a number from 2 to 1000");
	for (const char *value : { "-1", "1.5", "true", "null", "[]", "{}", "\"1x\"", "\"\"",
				   "\"0x\"", "99999999999999999999", "64", "\"--1\"" })
		refused(std::string(
				R"({"request": "inject", "fault": "lost_interrupt", "vector": )") +
				value + "}",
			"vector is");
	refused(R"({"request": "inject", "fault": "lie", "field": "status "})",
		"lmem_size, cmd_mask");
	refused(R"({"request": "inject", "fault": "boot_fail", "reason": "none"})",
		"no_image, dma");
	refused(R"({"request": "inject", "fault": "dead", "times": 2})", "no 'times'");
	refused(R"({"request": "inject", "fault": "crash", "times": 0})", "needs an 'at'");
	refused(R"({"request": "inject", "fault": "crash", "times": -1})", "a whole number");
	refused(R"({"request": "inject", "fault": "aer", "times": 1001})", "without 'at'");
	for (const char *value : { "2", "-0.1", "\"1\"", "null" })
		refused(std::string(R"({"request": "inject", "fault": "crash", "probability": )") +
				value + "}",
			"probability is a number from 0 to 1");
	refused(R"({"request": "clear", "id": 3})", "no fault 3");
	refused(R"({"request": "set_sensor", "sensor": "nose", "value": 1})", "chip_temp");
	refused(R"({"request": "set_sensor", "sensor": "chip_temp", "value": "1"})",
		"whole number");
	refused(R"({"request": "log", "from": -1})", "from is -1");
	refused(R"({"request": "state", "now": 1})", "state does not take 'now'");
}

TEST_F(request_test, WrongTriggersAreRefused)
{
	for (const char *at : { "1", "[]", "{}", R"({"ms": 1, "dma": 1})", R"("ms")" })
		refused(std::string(R"({"request": "inject", "fault": "crash", "at": )") + at + "}",
			"'at' is an object with one key");
	refused(R"({"request": "inject", "fault": "crash", "at": {"moon": 1}})",
		"ms, access, doorbell, dma, interrupt, command");
	refused(R"({"request": "inject", "fault": "crash", "at": {"none": 1}})", "'none'");
	for (const char *number : { "0", "-1", "1.5", "\"1\"", "99999999999999999999" })
		refused(std::string(R"({"request": "inject", "fault": "crash", "at": {"dma": )") +
				number + "}}",
			"dma is");
}

TEST_F(request_test, TheCatalogueIsListed)
{
	const json list = reply(R"({"request": "list"})");
	EXPECT_EQ(list.at("faults").size(), control::all_faults().size());
	for (const json &fault : list.at("faults")) {
		EXPECT_FALSE(fault.at("text").get<std::string>().empty());
		EXPECT_TRUE(fault.at("parameters").is_object());
	}
	/* what the catalogue says is consistent: each default is legal */
	for (const control::fault_kind &kind : control::all_faults()) {
		for (const std::string_view word : control::words_of(kind.parameters, ' ')) {
			const auto *which = control::find_parameter(word.substr(0, word.find('=')));
			ASSERT_NE(which, nullptr) << kind.name << ": " << word;
			const std::string_view preset = kind.preset(which->id);
			if (!preset.empty()) {
				EXPECT_NO_THROW(control::parse_value(kind, *which, preset))
					<< kind.name << ": " << word;
			}
		}
	}
}

TEST_F(request_test, StateAndLogTellWhatThereIs)
{
	EXPECT_EQ(reply(R"({"request": "state"})").at("state"), "ROM");
	start();
	EXPECT_EQ(
		reply(R"({"request": "inject", "fault": "crash", "at": {"access": 1000}})").at("id"),
		1);
	EXPECT_EQ(reply(R"({"request": "inject", "fault": "hang_admin"})").at("id"), 2);
	reg(OAC_REG_ID);
	json state = reply(R"({"request": "state"})");
	EXPECT_EQ(state.at("state"), "RUNNING");
	ASSERT_EQ(state.at("faults").size(), 2u);
	EXPECT_EQ(state.at("faults")[0].at("state"), "waits");
	EXPECT_EQ(state.at("faults")[0].at("counted"), 1);
	EXPECT_EQ(state.at("faults")[1].at("state"), "holds");
	EXPECT_EQ(reply(R"({"request": "clear", "id": 2})").at("ok"), true);
	const json log = reply(R"({"request": "log", "from": 3})").at("log");
	ASSERT_EQ(log.size(), 2u);
	EXPECT_EQ(log[0].at("what"), "fired");
	EXPECT_EQ(log[0].at("fault"), "hang_admin");
	EXPECT_EQ(log[1].at("what"), "cleared");
	EXPECT_EQ(reply(R"({"request": "state"})").at("faults").size(), 1u);
}

TEST_F(request_test, SensorsAreSetAtOnceOrLater)
{
	EXPECT_EQ(reply(R"({"request": "set_sensor", "sensor": "chip_temp", "value": 44000})")
			  .at("ok"),
		  true);
	start();
	const auto chip = [&] {
		return get_log<oac_sensor_value>(OAC_LOG_SENSOR_VALUES).front().value;
	};
	EXPECT_EQ(chip(), 44000u) << "set before firmware ran";
	EXPECT_EQ(reply(R"({"request": "set_sensor", "sensor": "chip_temp", "value": 55000})")
			  .at("ok"),
		  true);
	EXPECT_EQ(chip(), 55000u);
	reply(R"({"request": "set_sensor", "sensor": "chip_temp", "value": 60000, "at": {"ms": 5}})");
	EXPECT_EQ(chip(), 55000u);
	pass_ms(6);
	EXPECT_EQ(chip(), 60000u);
	EXPECT_EQ(fired("set_sensor"), 1u);
	reply(R"({"request": "set_sensor", "sensor": "chip_temp"})");
	EXPECT_LT(chip(), 50000u);
}

TEST_F(request_test, ClearMayBePlanned)
{
	start();
	user_queue q = create_queue(1);
	inject(R"("fault": "hang_command", "until": "never")");
	reply(R"({"request": "clear", "id": 1, "at": {"ms": 5}})");
	send(q, copy_command());
	EXPECT_FALSE(reap(q));
	pass_ms(6);
	EXPECT_EQ(reap(q).value().status, OAC_ST_SUCCESS);
}

TEST_F(request_test, TimesAndTimeRepeat)
{
	start();
	inject(R"("fault": "spurious_interrupt", "vector": 9, "at": {"ms": 10}, "times": 3)");
	pass_ms(9);
	EXPECT_EQ(host_.interrupts[9], 0u);
	for (unsigned i = 1; i <= 5; i++) {
		pass_ms(10);
		EXPECT_EQ(host_.interrupts[9], std::min(i, 3u));
	}
	inject(R"("fault": "spurious_interrupt", "vector": 8, "at": {"command": 2}, "times": 0)");
	user_queue q = create_queue(1);
	for (int i = 0; i < 10; i++)
		run(q, copy_command());
	EXPECT_EQ(host_.interrupts[8], 5u);
}

TEST_F(request_test, ProbabilityIsRepeatable)
{
	const auto hits = [&](unsigned seed) {
		std::string pattern;
		fresh_card();
		start();
		inject(R"("fault": "lost_interrupt", "vector": 0, "times": 0, "probability": 0.4, "seed": )" +
		       std::to_string(seed));
		for (int i = 0; i < 100; i++) {
			const unsigned before = host_.interrupts[0];
			if (admin_count_ % admin_depth_ == 0) {
				set_reg(OAC_REG_ADMIN_CONTROL, 0);
				enable_admin();
			}
			try_admin(command(OAC_ADMIN_TIME_SYNC));
			pattern += host_.interrupts[0] == before ? 'x' : '.';
		}
		return pattern;
	};

	const std::string first = hits(7);
	EXPECT_EQ(first, hits(7));
	EXPECT_NE(first, hits(8));
	EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 'x')), 40, 20);
}

} // namespace
} // namespace oac::emu::test
