// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card that is pulled at each access of its registers in turn: at the Nth one it is dead, for N from
// 1 until a whole life (bring-up, load, self-test, reset, letting go) passes without reaching it. With
// the kernel's driver by unbind and bind; else a card behind a socket, from before it is opened.
// OAC_TEST_STRIDE: not at each, but at each so many.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../api/emulator_process.hpp"
#include "deadline.hpp"
#include "trial.hpp"

using namespace std::chrono_literals;
using faults::load;

namespace
{

namespace fs = std::filesystem;

unsigned stride()
{
	const char *given = std::getenv("OAC_TEST_STRIDE");
	return given ? std::max(1u, static_cast<unsigned>(std::strtoul(given, nullptr, 10))) : 1;
}

/* Opens the card and does everything once; what fails ends it. true: it all worked. */
bool live(const std::string &name)
{
	try {
		accel::device card(name);
		load work(card);
		if (work.round() != load::outcome::good)
			return false;
		static_cast<void>(card.read_telemetry());
		static_cast<void>(card.self_test(10s));
		card.reset(ACCEL_RUNG_SOFT_RESET, 20s);
		const bool is_good = work.round() == load::outcome::failed && /* it was reset */
				     work.round() == load::outcome::good;
		EXPECT_EQ(work.wrong(), 0u);
		EXPECT_EQ(work.hung(), 0u);
		return is_good;
	} catch (const std::system_error &) {
		return false;
	}
}

class removal : public testing::Test
{
protected:
	/// One whole life for each access; port may be asked while nobody has the card.
	template <typename Life>
	void at_each_access(const support::card_port &port, const Life &life)
	{
		unsigned last = 0;
		double longest_s = 0;

		ASSERT_TRUE(life(false)) << "it does not even work without a fault";
		for (unsigned n = 1;; n += stride()) {
			const faults::deadline limit(120s * faults::slowness());
			SCOPED_TRACE(n);
			const unsigned id = port.inject(R"("fault":"dead","at":{"access":)" +
							std::to_string(n) + "}");
			ASSERT_NE(id, 0u);
			const auto begin = std::chrono::steady_clock::now();
			const bool is_good = life(true);
			longest_s = std::max(longest_s,
					     std::chrono::duration<double>(
						     std::chrono::steady_clock::now() - begin)
						     .count());
			const std::string state = port.ask(R"({"request":"state"})");
			const bool has_fired = state.find("\"dead\":true") != state.npos;
			port.ask(R"({"request":"clear"})");
			if (!has_fired) {
				EXPECT_TRUE(is_good) << "nothing befell it";
				break;
			}
			last = n;
			ASSERT_FALSE(HasFailure());
		}
		ASSERT_TRUE(life(false)) << "it does not work again";
		EXPECT_GT(last, 20u);
		std::printf("note: pulled at %u accesses, each %u; a life took %.2f s at most\n",
			    last, stride(), longest_s);
	}
};

TEST_F(removal, of_a_socket_card_at_each_access)
{
	api::emulator_process server;
	if (!server.is_there())
		GTEST_SKIP() << "no accel-emu beside this program";
	const std::string name = "socket:" + server.socket();
	at_each_access(support::card_port(name), [&](bool) { return live(name); });
}

/* The first card of the kernel's driver; empty: there is none. */
std::string kernel_card()
{
	std::vector<std::string> all;
	std::error_code error;

	for (const auto &one : fs::directory_iterator("/sys/bus/pci/drivers/oac", error)) {
		const std::string name = one.path().filename();
		if (name.find(':') != name.npos)
			all.push_back(name);
	}
	return all.empty() ? "" : *std::min_element(all.begin(), all.end());
}

/* The first card of the kernel's driver, whose driver comes and goes. */
class driver_removal : public removal
{
protected:
	void SetUp() override
	{
		address_ = kernel_card();
		if (address_.empty() || !std::getenv("OAC_TEST_UNBIND"))
			GTEST_SKIP() << "takes the driver from a card: set OAC_TEST_UNBIND=1 where "
					"nobody else uses it";
		ASSERT_TRUE(support::card_port(address_).is_there())
			<< "no way to a card's control socket (OAC_TEST_CTL)";
	}
	void TearDown() override
	{
		if (IsSkipped() || address_.empty())
			return;
		port().ask(R"({"request":"clear"})");
		if (!is_bound())
			bind();
		EXPECT_TRUE(is_bound());
	}
	support::card_port port() const { return support::card_port(address_); }
	bool is_bound() const { return fs::exists("/sys/bus/pci/drivers/oac/" + address_); }
	/* What the kernel says is of no interest: a dead card is not bound. */
	void tell(const std::string &file, const std::string &what) const
	{
		std::ofstream out(file);
		out << what << std::flush;
	}
	void bind() const { tell("/sys/bus/pci/drivers/oac/bind", address_); }
	void unbind() const { tell("/sys/bus/pci/drivers/oac/unbind", address_); }
	void reset() const { tell("/sys/bus/pci/devices/" + address_ + "/reset", "1"); }
	/* From probe to unbind. */
	bool live_bound() const
	{
		bind();
		const bool is_good = is_bound() && live(address_);
		if (is_bound())
			unbind();
		return is_good;
	}
	/* With a recovery under way, or what was left of it, the driver goes. */
	void unbind_after(const std::string &fault, std::string_view event)
	{
		accel::device card(address_);
		accel::event_stream stream = card.watch_events();
		load work(card);
		ASSERT_EQ(work.round(), load::outcome::good);
		ASSERT_NE(port().inject(fault), 0u);
		ASSERT_NE(port().inject(R"("fault":"crash")"), 0u);
		accel::event one{};
		while (stream.read({ &one, 1 }, 30s * faults::slowness()) == 1) {
			const char *name = accel_event_name(one.code);
			if (name && name == event)
				break;
		}
		ASSERT_EQ(accel_event_name(one.code), std::string(event));
		unbind();
		EXPECT_FALSE(is_bound());
		EXPECT_EQ(work.wrong(), 0u);
		EXPECT_NE(work.round(), load::outcome::good) << "its driver is gone";
	}
	void expect_works_again()
	{
		port().ask(R"({"request":"clear"})");
		reset();
		EXPECT_TRUE(live_bound());
	}

	std::string address_;
	faults::deadline limit_{ 900s * faults::slowness() };
};

TEST_F(driver_removal, of_the_card_at_each_access)
{
	unbind();
	at_each_access(port(), [&](bool may_fail) {
		if (!may_fail)
			reset();
		return live_bound();
	});
}

TEST_F(driver_removal, while_it_recovers)
{
	unbind_after(R"("fault":"boot_hang","until":"never","for_ms":60000)", "RECOVERY");
	expect_works_again();
}

TEST_F(driver_removal, after_it_has_wedged)
{
	unbind_after(R"("fault":"boot_fail","times":0)", "WEDGED");
	expect_works_again();
}

/// Interrupts, before anybody is ready for them, at many steps of probe and boot.
TEST_F(driver_removal, interrupts_at_any_step_of_a_probe)
{
	unbind();
	for (unsigned n = 1; n < 60; n += 6) {
		SCOPED_TRACE(n);
		ASSERT_NE(port().inject(R"("fault":"interrupt_storm","count":100,"at":{"access":)" +
					std::to_string(n) + "}"),
			  0u);
		EXPECT_TRUE(live_bound());
		port().ask(R"({"request":"clear"})");
	}
}

} // namespace
