// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The table of faults: one test for each row. It fails on a call without an end, a wrong answer that is
// said to be right, a card that is not usable again when the fault is over, health that says something
// else, or another card that is disturbed. What it saw it prints as a line "note: row {...}", of which
// scripts/faults-table.py makes docs/faults.md.
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "deadline.hpp"
#include "trial.hpp"

using namespace std::chrono_literals;
using faults::all_cases;
using faults::fault_case;
using faults::load;
using faults::patient;

namespace
{

/* The other card works all along, and loses nothing. */
class neighbour
{
public:
	explicit neighbour(const std::string &name)
		: card_(name), load_(card_),
		  thread_([this](std::stop_token stop) { work(std::move(stop)); })
	{
	}
	void expect_undisturbed()
	{
		works_.get_future().wait_for(20s * faults::slowness());
		thread_.request_stop();
		thread_.join();
		EXPECT_GT(load_.good(), 0u);
		EXPECT_EQ(load_.failed(), 0u) << load_.first_failure();
		EXPECT_EQ(load_.wrong(), 0u);
		EXPECT_LT(load_.longest_ms(), 5000.0 * faults::slowness());
	}

private:
	/* With pauses: the processors are for the other one. */
	void work(std::stop_token stop)
	{
		std::mutex lock;
		std::unique_lock locked(lock);
		std::condition_variable_any stopped;

		while (!stop.stop_requested()) {
			if (load_.round() == load::outcome::good && load_.good() == 1)
				works_.set_value();
			stopped.wait_for(locked, stop, 2ms * faults::slowness(),
					 [] { return false; });
		}
	}

	accel::device card_;
	load load_;
	std::promise<void> works_;
	std::jthread thread_;
};

class faults_table : public testing::TestWithParam<fault_case>
{
protected:
	void SetUp() override
	{
		const auto names = api::card_names();
		ASSERT_GE(names.size(), 2u) << "the table takes two cards: set ACCEL_EMU=2";
		neighbour_.emplace(names[1]);
		patient_.emplace(names[0]);
		if (!patient_->port().is_there())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
	}
	void TearDown() override
	{
		if (neighbour_)
			neighbour_->expect_undisturbed();
	}

	faults::deadline deadline_{ 300s * faults::slowness() };
	std::optional<neighbour> neighbour_;
	std::optional<patient> patient_;
};

TEST_P(faults_table, row)
{
	const fault_case &what = GetParam();
	faults::trial trial(*patient_, what);
	const faults::finding found = trial.run();

	if (!HasFailure())
		std::printf("note: row %s\n", found.json(what.name).c_str());
	std::fflush(stdout);
}

std::string name_of(const testing::TestParamInfo<fault_case> &info)
{
	std::string name = info.param.name;
	for (char &c : name)
		c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
	return name;
}

INSTANTIATE_TEST_SUITE_P(all, faults_table,
			 testing::ValuesIn(all_cases().begin(), all_cases().end()), name_of);

/* Words that make other stories: of these parameters each word must be in a row. */
const std::set<std::string> TELLING = { "field", "reason", "heap",  "severity",
					"level", "queues", "state", "write" };

/// No fault of the emulator's catalogue, and no word of its telling parameters, is left out.
TEST(faults_catalogue, has_a_row_for_each_fault)
{
	const auto names = api::card_names();
	ASSERT_FALSE(names.empty());
	patient card(names[0]);
	if (!card.port().is_there())
		GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
	const auto list = nlohmann::json::parse(card.port().ask(R"({"request":"list"})"));
	std::vector<nlohmann::json> rows;
	for (const fault_case &one : all_cases())
		rows.push_back(nlohmann::json::parse("{" + std::string(one.fault) + "}"));

	for (const auto &kind : list["faults"]) {
		std::set<std::string> words;
		const auto is_shown = [&](const char *key, const std::string &word) {
			return std::any_of(rows.begin(), rows.end(), [&](const auto &row) {
				return row["fault"] == kind["fault"] &&
				       (!*key || (row.contains(key) && row[key] == word));
			});
		};
		EXPECT_TRUE(is_shown("", "")) << kind["fault"] << " has no row in cases.cpp";
		for (const auto &[name, parameter] : kind["parameters"].items()) {
			const bool is_hang = kind["fault"] == "hang_command" && name == "until";
			if ((!TELLING.contains(name) && !is_hang) || !parameter.contains("words"))
				continue;
			for (const std::string word : parameter["words"]) {
				EXPECT_TRUE(word == "none" || is_shown(name.c_str(), word))
					<< kind["fault"] << " with " << name << " " << word
					<< " has no row in cases.cpp";
			}
		}
	}
}

} // namespace
