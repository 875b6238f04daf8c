// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card goes and comes again, in every way that a host knows, round after round: under the load of
// test_kill, and with one of everything held (holder.hpp). Old holders stay for some rounds, so that
// what they hold outlives more than one life of the card. OAC_STRESS_ROUNDS says how many.
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "../abi/device.hpp"
#include "../abi/uevents.hpp"
#include "../support/card_port.hpp"
#include "crowd.hpp"
#include "holder.hpp"
#include "system.hpp"

using namespace stress;
using oac::abi::uevent_reader;

namespace
{

constexpr const char *kinds[] = {
	"rebind",    "remove and rescan", "gone and found",	     "function reset",
	"bus reset", "host's sleep",	  "unbind while it recovers"
};

class rounds_test : public oac::abi::device_test
{
protected:
	void SetUp() override
	{
		if (!std::getenv("OAC_TEST_UNBIND"))
			GTEST_SKIP() << "OAC_TEST_UNBIND is not set";
		device_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		address_ = address_of(path());
		port_ = std::filesystem::canonical(device()).parent_path();
		all_ = nodes().size();
	}

	std::string device() const { return "/sys/bus/pci/devices/" + address_ + '/'; }

	static bool write_file(const std::string &name, const std::string &text)
	{
		std::ofstream file(name);

		file << text << std::flush;
		return file.good();
	}

	static void must_write(const std::string &name, const std::string &text)
	{
		EXPECT_TRUE(write_file(name, text)) << name;
	}

	/* The card's node, whatever it is called in this life; empty: none. */
	std::string node() const
	{
		for (const auto &one : nodes()) {
			if (address_of(one) == address_)
				return one;
		}
		return {};
	}

	/* All cards have a node and take contexts. */
	bool all_work() const
	{
		const auto now = nodes();

		if (now.size() != all_)
			return false;
		for (const auto &one : now) {
			const oac::abi::node on(::open(one.c_str(), O_RDWR | O_CLOEXEC));
			drm_oac_context_create create = {};

			if (on.fd() < 0 || on(create))
				return false;
		}
		return true;
	}

	void unbind() const { must_write("/sys/bus/pci/drivers/oac/unbind", address_); }
	void bind() const { must_write("/sys/bus/pci/drivers/oac/bind", address_); }
	void remove() const { must_write(device() + "remove", "1"); }
	void rescan() const { must_write(port_ + "/rescan", "1"); }

	void inject(const std::string &what) const
	{
		EXPECT_NE(support::card_port(address_).inject(what), 0u) << what;
	}

	/*
	 * Whether the driver has noticed before it has to let go, and whether the card is there again
	 * when the host looks, is left to chance.
	 */
	void lose_and_find(std::mt19937 &random) const
	{
		inject(R"("fault":"dead","for_ms":)" + std::to_string(500 + random() % 2000));
		std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1500));
		unbind();
		remove();
		/* Nothing tells a host that a card has come: it looks. */
		const auto end = std::chrono::steady_clock::now() +
				 std::chrono::seconds(60) * oac::abi::slowness();
		while (!std::filesystem::exists(device()) && std::chrono::steady_clock::now() < end)
			rescan();
		EXPECT_TRUE(std::filesystem::exists(device()));
	}

	void unbind_in_recovery(std::mt19937 &random) const
	{
		inject(R"("fault":"crash")");
		std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1200));
		unbind();
		bind();
	}

	/* false: this host cannot. */
	bool reset_by(const char *method) const
	{
		if (!write_file(device() + "reset_method", method))
			return false;
		must_write(device() + "reset", "1");
		return true;
	}

	static bool sleep_and_wake()
	{
		if (!write_file("/sys/power/pm_test", "devices"))
			return false;
		must_write("/sys/power/state", "freeze");
		must_write("/sys/power/pm_test", "none");
		return true;
	}

	/* false: not here. */
	bool go_and_come(std::size_t kind, std::mt19937 &random) const
	{
		const bool has_control = support::card_port(address_).is_there();

		switch (kind) {
		case 0:
			unbind();
			bind();
			return true;
		case 1:
			remove();
			rescan();
			return true;
		case 2:
			if (has_control)
				lose_and_find(random);
			return has_control;
		case 3:
			return reset_by("flr");
		case 4:
			return reset_by("bus");
		case 5:
			return sleep_and_wake();
		default:
			if (has_control)
				unbind_in_recovery(random);
			return has_control;
		}
	}

	void round(std::size_t kind, std::mt19937 &random)
	{
		std::string peer = nodes().front() == node() ? nodes().back() : nodes().front();

		if (held_.size() == 3)
			held_.pop_front();
		held_.push_back(std::make_unique<holder>(node(), peer));
		for (std::size_t tries = 0; !go_and_come(kind, random); tries++) {
			ASSERT_LT(tries, std::size(kinds));
			kind = (kind + 1) % std::size(kinds);
		}
		done_[kind]++;
		EXPECT_EQ(held_.back()->look(), "") << kinds[kind];
		EXPECT_TRUE(uevent_reader().wait_until([&] { return all_work(); })) << kinds[kind];
	}

	std::string address_, port_;
	std::size_t all_ = 0;
	std::deque<std::unique_ptr<holder>> held_;
	unsigned done_[std::size(kinds)] = {};
};

unsigned rounds_wanted()
{
	const char *given = std::getenv("OAC_STRESS_ROUNDS");

	return given ? static_cast<unsigned>(std::atoi(given)) : 3 * std::size(kinds);
}

} // namespace

TEST_F(rounds_test, with_one_of_everything_held)
{
	std::mt19937 random(seed());

	close_device();
	const counts idle = object_counts();
	ASSERT_FALSE(idle.empty()) << "no /sys/kernel/debug/oac/*/objects: is debugfs mounted?";
	/* They look for nodes themselves: names change. */
	crowd workers({}, 3, true);
	for (unsigned i = 0; i < rounds_wanted() && !HasFailure(); i++) {
		EXPECT_TRUE(workers.wait_for_commands(20));
		ASSERT_NO_THROW(round(i % std::size(kinds), random)) << "round " << i;
		EXPECT_EQ(workers.complaint(), "");
		EXPECT_EQ(workers.replace_one(), "");
		if ((i + 1) % 50 == 0) {
			std::printf("note: %u rounds\n", i + 1);
			std::fflush(stdout);
		}
	}
	held_.clear();
	EXPECT_EQ(workers.end(), "");
	EXPECT_EQ(difference(idle, object_counts()), "");
	for (std::size_t kind = 0; kind < std::size(kinds); kind++)
		std::printf("note: %u of %s\n", done_[kind], kinds[kind]);
	std::fflush(stdout);
}
