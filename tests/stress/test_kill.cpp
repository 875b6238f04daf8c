// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// SIGKILL in a loop under load: afterwards everything is back.
#include <chrono>
#include <thread>

#include <fcntl.h>

#include "../abi/device.hpp"
#include "crowd.hpp"
#include "system.hpp"

using namespace stress;

namespace
{

/*
 * What caches and per-CPU lists may keep; one leaked client has 64 KiB and more. The debug kernel keeps
 * what was freed for a while, to find who still uses it.
 */
const std::int64_t slack_kib = (12 << 10) * oac::abi::slowness();

class kill_test : public oac::abi::device_test
{
protected:
	/// Kills and replaces for so long; returns how many.
	unsigned kill_for(crowd &workers, std::chrono::milliseconds length)
	{
		std::mt19937 random(seed());
		const auto end = std::chrono::steady_clock::now() + length;
		unsigned killed = 0;

		while (std::chrono::steady_clock::now() < end) {
			std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
			const std::string wrong = workers.replace_one();
			if (!wrong.empty()) {
				ADD_FAILURE() << wrong;
				break;
			}
			killed++;
		}
		return killed;
	}
};

} // namespace

TEST_F(kill_test, in_a_loop_under_load_leaves_nothing)
{
	const std::uint64_t features = dev().info().driver_features;
	const counts idle = object_counts();

	ASSERT_FALSE(idle.empty()) << "no /sys/kernel/debug/oac/*/objects: is debugfs mounted?";
	{
		crowd warm_up(nodes(), 6, false);

		kill_for(warm_up, std::chrono::seconds(3));
		EXPECT_EQ(warm_up.end(), "");
	}
	ASSERT_EQ(difference(idle, object_counts()), "") << "after the warm-up";
	const memory before = settled_memory();
	crowd workers(nodes(), 6, false);
	const unsigned killed = kill_for(workers, std::chrono::seconds(seconds()));
	EXPECT_EQ(workers.end(), "");
	EXPECT_EQ(difference(idle, object_counts()), "");
	const memory after = wait_for_memory(before.available_kib - slack_kib);
	EXPECT_GE(after.available_kib, before.available_kib - slack_kib);
	EXPECT_LE(after.unreclaimable_kib, before.unreclaimable_kib + slack_kib);
	EXPECT_EQ(workers.undone(features), "") << "nobody did that";
	EXPECT_GT(killed, seconds());
	std::printf(
		"note: killed %u; %lu opens, %lu commands, %lu local, %lu userptr, %lu exports, "
		"%lu imports, %lu fences; available %ld -> %ld KiB, unreclaimable %ld -> %ld\n",
		killed, workers.done().opens.load(), workers.done().commands.load(),
		workers.done().local.load(), workers.done().userptr.load(),
		workers.done().exports.load(), workers.done().imports.load(),
		workers.done().fences.load(), before.available_kib, after.available_kib,
		before.unreclaimable_kib, after.unreclaimable_kib);
	std::fflush(stdout);
	oac::abi::node own(::open(path().c_str(), O_RDWR | O_CLOEXEC));
	own.context();
}
