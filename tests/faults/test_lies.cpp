// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card that lies: each word that a host reads from it, with the values at which careless code breaks.
// Whatever it says, no answer that is wrong is said to be right, no call hangs, and the card works
// again once it is honest. Stories of single faults are in the table (test_table.cpp).
#include <array>
#include <string>
#include <vector>

#include <hw/oac_regs.h>
#include <nlohmann/json.hpp>

#include "deadline.hpp"
#include "trial.hpp"

using namespace std::chrono_literals;
using faults::boot_ns;
using faults::load;
using faults::patient;

namespace
{

struct lie {
	std::string fault; /* members of the request */
	bool at_boot = false;
};

constexpr std::array<const char *, 5> VALUES = { "0", "1", "2147483647", "2147483648",
						 "4294967295" };
/* Nothing is given: drawn from the seed. */
constexpr unsigned SEEDS = 2;

/* A fault, and what it may say: the ends of the range, and anything. */
void add_values(std::vector<lie> &to, const std::string &fault, bool at_boot = false)
{
	for (const char *value : VALUES)
		to.push_back({ fault + ",\"value\":" + value, at_boot });
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		to.push_back({ fault + ",\"seed\":" + std::to_string(seed), at_boot });
}

class lies : public testing::Test
{
protected:
	void SetUp() override
	{
		const auto names = api::card_names();
		ASSERT_FALSE(names.empty()) << "no card: load the module, or set ACCEL_EMU=2";
		patient_.emplace(names[0]);
		if (!patient_->port().is_there())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
		load_.emplace(patient_->device());
	}
	std::vector<std::string> fields_of(const char *fault)
	{
		const auto list =
			nlohmann::json::parse(patient_->port().ask(R"({"request":"list"})"));
		for (const auto &kind : list["faults"]) {
			if (kind["fault"] == fault)
				return kind["parameters"]["field"]["words"];
		}
		ADD_FAILURE() << "there is no fault " << fault;
		return {};
	}
	/// What talks to the card in every way; errors are answers, too.
	void use_it()
	{
		accel_telemetry *sensors = nullptr;
		accel_event events[16];
		accel_health health;

		load_->round();
		accel_telemetry_read(patient_->device().get(), &sensors);
		accel_telemetry_free(sensors);
		accel_events_read(patient_->device().get(), 1, events, 16);
		EXPECT_EQ(accel_device_health(patient_->device().get(), &health), 0);
	}
	void try_lie(const lie &one)
	{
		SCOPED_TRACE(one.fault);
		std::string reply;
		ASSERT_NE(patient_->port().inject(one.fault, &reply), 0u) << reply;
		if (one.at_boot)
			accel_device_reset(patient_->device().get(), ACCEL_RUNG_SOFT_RESET,
					   60'000'000'000);
		for (int i = 0; i < 3; i++)
			use_it();
		make_honest();
		EXPECT_EQ(load_->wrong(), 0u) << "answers that are wrong and said to be right";
		EXPECT_EQ(load_->hung(), 0u);
	}
	void try_all(const std::vector<lie> &all)
	{
		const faults::deadline limit(600s * faults::slowness());
		for (const lie &one : all) {
			try_lie(one);
			if (HasFatalFailure())
				return;
		}
		std::printf("note: %zu lies\n", all.size());
	}
	void make_honest()
	{
		patient_->port().ask(R"({"request":"clear"})");
		if (works(2))
			return;
		accel_device_recover(patient_->device().get(), 60'000'000'000);
		if (works(2))
			return;
		accel_device_reset(patient_->device().get(), ACCEL_RUNG_SOFT_RESET, 60'000'000'000);
		if (works(5))
			return;
		const std::uint64_t wrong = load_->wrong();
		EXPECT_EQ(wrong, 0u);
		load_.reset();
		patient_->open_anew();
		load_.emplace(patient_->device());
		ASSERT_TRUE(works(20)) << patient_->device().health().reason_name() << ", "
				       << load_->first_failure();
	}
	bool works(std::uint64_t seconds)
	{
		const std::uint64_t end = boot_ns() + seconds * 1000000000 * faults::slowness();

		load_->start_over();
		while (boot_ns() < end && load_->in_a_row() < 2) {
			if (load_->round() == load::outcome::given_up)
				return false;
		}
		return load_->in_a_row() >= 2 && patient_->device().health().is_working();
	}

	std::optional<patient> patient_;
	std::optional<load> load_;
};

TEST_F(lies, of_completions)
{
	std::vector<lie> all;
	for (const std::string &field : fields_of("corrupt_completion"))
		add_values(all, R"("fault":"corrupt_completion","field":")" + field + '"');
	add_values(all, R"("fault":"corrupt_tail")");
	try_all(all);
}

TEST_F(lies, of_progress_lines)
{
	std::vector<lie> all;
	for (const std::string &field : fields_of("corrupt_progress"))
		add_values(all, R"("fault":"corrupt_progress","field":")" + field + '"');
	try_all(all);
}

/// Twice, late, again, and of others; several times in a row.
TEST_F(lies, of_order)
{
	std::vector<lie> all;
	for (const char *fault :
	     { "duplicate_completion", "reorder_completion", "replay_completion" }) {
		for (unsigned seed = 1; seed <= 4; seed++)
			all.push_back({ "\"fault\":\"" + std::string(fault) +
					"\",\"times\":" + std::to_string(seed) +
					",\"seed\":" + std::to_string(seed) });
	}
	try_all(all);
}

TEST_F(lies, of_admin_answers)
{
	std::vector<lie> all;
	for (const std::string &field : fields_of("lie")) {
		const std::string fault = R"("fault":"lie","field":")" + field + '"';
		add_values(all, fault);
		add_values(all, fault, true);
	}
	try_all(all);
}

/// Each answer of a boot, also those that nobody would miss: the driver sees to it by itself.
TEST_F(lies, of_any_answer_while_it_boots)
{
	constexpr unsigned more_than_a_boot_has = 24;
	const faults::deadline limit(300s * faults::slowness());

	for (unsigned n = 1; n <= more_than_a_boot_has; n++) {
		SCOPED_TRACE(n);
		std::string reply;
		ASSERT_NE(patient_->port().inject(R"("fault":"lie","field":"cid","at":{"admin":)" +
							  std::to_string(n) + "}",
						  &reply),
			  0u)
			<< reply;
		ASSERT_NE(patient_->port().inject(R"("fault":"crash")", &reply), 0u) << reply;
		EXPECT_TRUE(works(20)) << patient_->device().health().reason_name() << ", "
				       << load_->first_failure();
		make_honest();
	}
}

struct register_name {
	const char *name;
	unsigned offset;
};

constexpr register_name REGISTERS[] = {
#define REGISTER(name, access) { #name, OAC_REG_##name },
	OAC_REGS(REGISTER)
#undef REGISTER
};

std::vector<lie> of_registers(bool at_boot)
{
	std::vector<lie> all;
	for (const register_name &one : REGISTERS) {
		const std::string fault =
			"\"fault\":\"register_garbage\",\"address\":" + std::to_string(one.offset);
		for (const char *how : { ",\"value\":0", ",\"value\":4294967295", ",\"seed\":1",
					 ",\"seed\":2,\"times\":3" })
			all.push_back({ fault + how, at_boot });
	}
	return all;
}

TEST_F(lies, of_registers)
{
	try_all(of_registers(false));
}

TEST_F(lies, of_registers_while_it_boots)
{
	try_all(of_registers(true));
}

/// Anything may be a lie, for a while, under load.
TEST_F(lies, of_a_malicious_card)
{
	const faults::deadline limit(300s * faults::slowness());
	for (unsigned seed = 1; seed <= 4; seed++) {
		const double probability = seed % 2 ? 0.02 : 0.2;
		SCOPED_TRACE(seed);
		ASSERT_NE(patient_->port().inject(R"("fault":"malicious","probability":)" +
						  std::to_string(probability) +
						  ",\"seed\":" + std::to_string(seed)),
			  0u);
		const std::uint64_t end = boot_ns() + 1000000000 * faults::slowness();
		while (boot_ns() < end) {
			use_it();
			accel_device_recover(patient_->device().get(), 100'000'000);
		}
		EXPECT_EQ(load_->wrong(), 0u);
		make_honest();
	}
}

} // namespace
