// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Health: the ioctl, sysfs and uevents say the same, to anybody.
#include "objects.hpp"
#include "recovery.hpp"
#include "rights.hpp"
#include "uevents.hpp"

#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

using namespace oac::abi;

class health : public recovery_test
{};

TEST_F(health, of_a_card_that_works)
{
	const auto now = recovery_test::health();

	EXPECT_EQ(now.state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	EXPECT_EQ(now.reason, static_cast<std::uint32_t>(OAC_REASON_NONE));
	EXPECT_EQ(now.action, static_cast<std::uint32_t>(OAC_ACTION_NONE));
	EXPECT_EQ(now.is_held, 0u);
	EXPECT_EQ(now.rungs_allowed, (1u << OAC_RUNG_COUNT) - 1);
	EXPECT_NE(now.since_ns, 0u);
	timespec boot = {};
	clock_gettime(CLOCK_BOOTTIME, &boot);
	EXPECT_LT(now.since_ns, static_cast<std::uint64_t>(boot.tv_sec + 1) * 1000000000ull);
}

TEST_F(health, is_the_same_in_sysfs)
{
	const auto now = recovery_test::health();

	EXPECT_EQ(health_file(path(), "state"), "ok");
	EXPECT_EQ(health_file(path(), "reason"), "none");
	EXPECT_EQ(health_file(path(), "action"), "none");
	EXPECT_EQ(health_file(path(), "since"), std::to_string(now.since_ns));
	EXPECT_EQ(health_file(path(), "generation"), std::to_string(now.generation));
	EXPECT_EQ(health_file(path(), "recovery"), "auto");
}

TEST_F(health, is_for_everybody_and_resets_are_not)
{
	const std::string node_path = path();

	as_user(nobody, [&] {
		drm_oac_reset arg = {};
		drm_oac_self_test test = {};

		EXPECT_EQ(recovery_test::health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
		EXPECT_EQ(health_file(node_path, "state"), "ok");
		arg.rung = OAC_RUNG_SOFT_RESET;
		EXPECT_EQ(dev().call(DRM_IOCTL_OAC_RESET, &arg), EPERM);
		EXPECT_EQ(dev().call(DRM_IOCTL_OAC_SELF_TEST, &test), EPERM);
		EXPECT_EQ(write_health_file(node_path, "reset", "soft_reset"), EACCES);
		EXPECT_EQ(write_health_file(node_path, "recovery", "held"), EACCES);
		const event_reader reader(dev(), 1);
		EXPECT_FALSE(reader.read().empty());
	});
}

TEST_F(health, rungs_have_a_line_each)
{
	std::ifstream file("/sys/bus/pci/devices/" + pci_address(path()) + "/health/rungs");
	const char *const names[] = { "abort", "queue",	    "context",	"soft_reset",
				      "flr",   "bus_reset", "firmware", "wedged" };
	const auto counts = rungs();
	std::string line;

	for (std::uint32_t i = 0; i < OAC_RUNG_COUNT; i++) {
		std::string name, allowed;
		std::uint64_t tried = 0, helped = 0;

		ASSERT_TRUE(std::getline(file, line));
		std::istringstream(line) >> name >> allowed >> tried >> helped;
		EXPECT_EQ(name, names[i]);
		EXPECT_EQ(allowed, "allowed");
		EXPECT_EQ(tried, counts[i].tried);
		EXPECT_EQ(helped, counts[i].helped);
		EXPECT_EQ(counts[i].rung, i);
	}
	EXPECT_FALSE(std::getline(file, line));
}

TEST_F(health, words_that_are_not_there_are_refused)
{
	for (const char *word : { "", "soft", "abort", "wedged", "soft_reset flr", "7" })
		EXPECT_EQ(write_health_file(path(), "reset", word), *word ? EINVAL : 0) << word;
	EXPECT_EQ(write_health_file(path(), "recovery", "maybe"), EINVAL);
}

TEST_F(health, changes_are_told_by_uevents)
{
	uevent_reader uevents;

	ASSERT_EQ(reset(soft), 0);
	uevents.read_until("OAC_HEALTH=ok", "OAC_REASON=none", "OAC_ACTION=none");
}
