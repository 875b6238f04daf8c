// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events, resets, self-test and recovery without memory. What the driver does by itself it does in
// workers, which fail-nth does not reach: there, one allocation in so many fails, whoever makes it.
#include "fail_nth.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "../abi/control.hpp"
#include "../abi/health_watch.hpp"
#include "../abi/objects.hpp"
#include "../abi/recovery.hpp"

using namespace oac;
using fault::client;

namespace
{

using owner = std::unique_ptr<client>;

drm_oac_info_health health(const oac::abi::node &dev)
{
	drm_oac_info_health one = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_HEALTH;
	get.stride = sizeof(one);
	get.count = 1;
	get.data = reinterpret_cast<std::uintptr_t>(&one);
	EXPECT_EQ(dev(get), 0);
	return one;
}

/* What a card says that the lack of memory left without firmware, or out of use. */
bool says_why(const drm_oac_info_health &now)
{
	return now.reason == OAC_REASON_NONE || now.reason == OAC_REASON_WEDGED ||
	       now.reason == OAC_REASON_NO_FIRMWARE || now.reason == OAC_REASON_BOOT_FAILED;
}

std::uint64_t in_a_minute()
{
	timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (static_cast<std::uint64_t>(now.tv_sec) + 60 * oac::abi::slowness()) * 1000000000;
}

int reset(const oac::abi::node &dev, std::uint32_t rung, std::uint32_t flags = 0)
{
	drm_oac_reset arg = {};

	arg.rung = rung;
	arg.flags = flags;
	arg.deadline_ns = in_a_minute();
	return dev.call(DRM_IOCTL_OAC_RESET, &arg);
}

/* Waits until the card has come to an end with itself: it works, or says why not. */
drm_oac_info_health settled(const std::string &path, const oac::abi::node &dev)
{
	drm_oac_info_health now = {};

	EXPECT_TRUE(oac::abi::health_watch(path).wait_until([&] {
		now = health(dev);
		return says_why(now);
	}))
		<< "reason 0x" << std::hex << now.reason;
	return now;
}

} // namespace

class fail_nth_recovery : public fault::fail_nth
{
protected:
	/* With memory, each card can be had again. */
	void repair() override
	{
		client one(path());

		if (settled(path(), one.dev()).reason != OAC_REASON_NONE) {
			EXPECT_EQ(reset(one.dev(), OAC_RUNG_SOFT_RESET), 0);
		}
		EXPECT_EQ(health(one.dev()).reason, static_cast<std::uint32_t>(OAC_REASON_NONE));
	}
};

/* ---- Calls ------------------------------------------------------------------------------------ */

/* As with prime_export: with EFAULT only the descriptor's number is lost. */
TEST_F(fail_nth_recovery, events_open)
{
	fail_each([](owner &one) {
		const int next = dup(0);

		EXPECT_GE(next, 0);
		close(next);
		return [&one, next] {
			drm_oac_events_open open = {};
			const int err = one->dev().call(DRM_IOCTL_OAC_EVENTS_OPEN, &open);

			close(next);
			return err;
		};
	});
}

/* An event that could not be copied is there for the next read. */
TEST_F(fail_nth_recovery, events_read)
{
	fail_each([](owner &one) {
		drm_oac_events_open open = {};

		open.from = 1;
		open.flags = O_CLOEXEC | O_NONBLOCK;
		EXPECT_EQ(one->dev().call(DRM_IOCTL_OAC_EVENTS_OPEN, &open), 0);
		auto fd = std::make_shared<oac::abi::node>(open.fd);
		return [fd] {
			drm_oac_event some[4];

			return read(fd->fd(), some, sizeof(some)) > 0 ? 0 : errno;
		};
	});
}

TEST_F(fail_nth_recovery, self_test)
{
	fail_each([](owner &one) {
		return [&one] {
			drm_oac_self_test test = {};

			test.deadline_ns = in_a_minute();
			return one->dev().call(DRM_IOCTL_OAC_SELF_TEST, &test);
		};
	});
}

TEST_F(fail_nth_recovery, reset)
{
	fail_each([](owner &one) {
		one->queue();
		one->unmap_all();
		return [&one] { return ::reset(one->dev(), OAC_RUNG_SOFT_RESET); };
	});
}

/* ---- Workers ---------------------------------------------------------------------------------- */

class starved : public fail_nth_recovery, public testing::WithParamInterface<unsigned>
{
protected:
	void SetUp() override
	{
		if (!oac::abi::has_control())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
		fail_nth_recovery::SetUp();
		/* Frees a dump twice. */
		fault::spare("dev_coredumpm_timeout");
	}

	void TearDown() override
	{
		if (IsSkipped())
			return;
		starve(0);
		fault::spare("");
		repair();
		fail_nth_recovery::TearDown();
	}

	/* Not by the ioctl: that starves, too. */
	std::string health_word(const char *name) const
	{
		std::ifstream file("/sys/bus/pci/devices/" + oac::abi::pci_address(path()) +
				   "/health/" + name);
		std::string word;

		file >> word;
		return word;
	}

	/* One in so many fails of those that the module asks for, at once or not; 0: none. */
	static void starve(unsigned one_in)
	{
		/* Who reads the image's file complains of missing memory, in the log. */
		std::ofstream("/sys/module/oac/parameters/reset_rungs")
			<< (one_in ? ~(1u << OAC_RUNG_FIRMWARE) & all_rungs : all_rungs)
			<< std::flush;
		for (const std::string kind : { "failslab", "fail_page_alloc" }) {
			fault::set_fault(kind + "/probability", "0");
			limit_to_module(kind, one_in != 0);
			fault::set_fault(kind + "/interval", std::to_string(one_in ? one_in : 1));
			fault::set_fault(kind + "/times", "-1");
			fault::set_fault(kind + "/probability", one_in ? "100" : "0");
		}
	}

	/* The card has lost what it had, and come to an end with itself. */
	void wait_for_the_end(const std::string &generation) const
	{
		/* Reading a word may fail, too. */
		const auto is_over = [&] {
			const std::string now = health_word("generation");
			const std::string reason = health_word("reason");

			return !now.empty() && now != generation &&
			       (reason == "none" || reason == "wedged" || reason == "no_firmware" ||
				reason == "boot_failed");
		};

		ASSERT_TRUE(oac::abi::health_watch(path()).wait_until(is_over))
			<< health_word("reason");
	}

private:
	static constexpr unsigned all_rungs = (1u << OAC_RUNG_COUNT) - 1;

	static void limit_to_module(const std::string &kind, bool is_limited)
	{
		std::ifstream text("/sys/module/oac/sections/.text"),
			size("/sys/module/oac/coresize");
		std::uint64_t from = 0, bytes = 0;

		text >> std::hex >> from;
		size >> bytes;
		EXPECT_TRUE(text && size);
		fault::set_fault(kind + "/stacktrace-depth", "32");
		fault::set_fault(kind + "/require-start", is_limited ? std::to_string(from) : "0");
		fault::set_fault(kind + "/require-end", is_limited ? std::to_string(from + bytes) :
								     "18446744073709551615");
	}
};

/* Whatever fails with it, the card works afterwards or says why not, and then can be had again. */
TEST_P(starved, recoveries)
{
	for (const char *fault : { "crash", "self_reset", "hang_firmware" }) {
		for (unsigned i = 0; i < 5; i++) {
			client one(path());
			const std::string generation = health_word("generation");

			one.queue();
			one.unmap_all();
			starve(GetParam());
			oac::abi::inject(path(), fault);
			wait_for_the_end(generation);
			starve(0);
			oac::abi::control(path(), R"({"request":"clear"})");
			repair();
		}
	}
}

/* In the PCI core's callbacks, too. */
TEST_P(starved, errors_of_the_link)
{
	for (unsigned i = 0; i < 5; i++) {
		const std::string generation = health_word("generation");

		starve(GetParam());
		oac::abi::monitor("pcie_aer_inject_error port" +
				  std::to_string(oac::abi::card_number(path())) + " SDN");
		wait_for_the_end(generation);
		starve(0);
		repair();
	}
}

INSTANTIATE_TEST_SUITE_P(one_in, starved, testing::Values(1u, 2u, 3u, 7u));
