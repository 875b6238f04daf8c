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
			longest_s = std::max(
				longest_s, std::chrono::duration<double>(
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

/* What the kernel says is of no interest: a dead card is not bound. */
void tell_driver(const char *what, const std::string &address)
{
	std::ofstream file(std::string("/sys/bus/pci/drivers/oac/") + what);
	file << address << std::flush;
}

TEST_F(removal, of_a_kernel_card_at_each_access)
{
	const std::string address = kernel_card();
	if (address.empty() || !std::getenv("OAC_TEST_UNBIND"))
		GTEST_SKIP() << "takes the driver from a card: set OAC_TEST_UNBIND=1 where nobody "
				"else uses it";
	const support::card_port port(address);
	ASSERT_TRUE(port.is_there()) << "no way to a card's control socket (OAC_TEST_CTL)";
	const std::string folder = "/sys/bus/pci/drivers/oac/" + address;

	tell_driver("unbind", address);
	at_each_access(port, [&](bool may_fail) {
		if (!may_fail) {
			std::ofstream reset("/sys/bus/pci/devices/" + address + "/reset");
			reset << "1" << std::flush;
		}
		tell_driver("bind", address);
		const bool is_good = fs::exists(folder) && live(address);
		if (fs::exists(folder))
			tell_driver("unbind", address);
		return is_good;
	});
	tell_driver("bind", address);
	EXPECT_TRUE(fs::exists(folder));
}

} // namespace
