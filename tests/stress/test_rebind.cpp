// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The driver is taken off a card and put back, again and again, under the load of test_kill. Runs
// only where OAC_TEST_UNBIND is set: everybody's work on the card ends.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>

#include "../abi/device.hpp"
#include "../abi/uevents.hpp"
#include "crowd.hpp"
#include "system.hpp"

using namespace stress;
using oac::abi::uevent_reader;

namespace
{

class rebind_test : public oac::abi::device_test
{
protected:
	void SetUp() override
	{
		if (!std::getenv("OAC_TEST_UNBIND"))
			GTEST_SKIP() << "OAC_TEST_UNBIND is not set";
		device_test::SetUp();
	}

	static void write_driver(const char *what, const std::string &address)
	{
		std::ofstream file(std::string("/sys/bus/pci/drivers/oac/") + what);

		file << address << std::flush;
		EXPECT_TRUE(file.good()) << what << ' ' << address;
	}
};

} // namespace

TEST_F(rebind_test, again_and_again_under_load)
{
	const std::string address = address_of(path());
	const std::vector<std::string> all = nodes();

	close_device();
	const counts idle = object_counts();
	ASSERT_FALSE(idle.empty()) << "no /sys/kernel/debug/oac/*/objects: is debugfs mounted?";
	ASSERT_FALSE(address.empty());
	crowd workers(all, 6, true);
	for (unsigned round = 0; round < 5; round++) {
		ASSERT_TRUE(workers.wait_for_commands(100));
		write_driver("unbind", address);
		EXPECT_TRUE(uevent_reader().wait_until(
			[&] { return nodes().size() == all.size() - 1; }));
		write_driver("bind", address);
		ASSERT_TRUE(
			uevent_reader().wait_until([&] { return nodes().size() == all.size(); }));
		EXPECT_EQ(workers.complaint(), "");
		for (unsigned i = 0; i < 3; i++)
			EXPECT_EQ(workers.replace_one(), "");
	}
	EXPECT_EQ(workers.end(), "");
	EXPECT_GT(workers.done().gone, 0u) << "nobody noticed";
	EXPECT_EQ(difference(idle, object_counts()), "");
	for (const auto &one : nodes()) {
		oac::abi::node own(::open(one.c_str(), O_RDWR | O_CLOEXEC));

		own.context();
	}
}
