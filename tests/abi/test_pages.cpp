// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The pages of host buffers: large pieces, each a segment on the card, from the node that the caller's
// memory policy names.
#include "objects.hpp"
#include "on_card.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace oac::abi;

class pages : public card_test
{
protected:
	static constexpr std::uint64_t at = 1 << 30;
	static constexpr std::uint64_t size = 16 << 20;
	static constexpr std::uint64_t large = 2 << 20;

	void TearDown() override { syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0); }

	long segments() const
	{
		const auto now = objects(path());
		const auto found = now.find("segments");

		return found == now.end() ? -1 : found->second;
	}

	static int bind_to(unsigned node)
	{
		const unsigned long mask = 1ul << node;

		return static_cast<int>(
			syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)));
	}

	static bool has_node(unsigned node)
	{
		return std::filesystem::exists("/sys/devices/system/node/node" +
					       std::to_string(node) + "/meminfo");
	}

	/* Bytes that nobody has, of a node. */
	static std::int64_t free_of(unsigned node)
	{
		std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) +
				   "/meminfo");
		std::string word;
		std::int64_t kib = 0;

		while (file >> word && word != "MemFree:") {}
		file >> kib;
		return kib * 1024;
	}
};

/* All in pieces of 2 MiB, or of 1 MiB where a long-running guest has no larger ones left. */
TEST_F(pages, large_buffers_take_few_segments)
{
	const long before = segments();

	if (before < 0)
		GTEST_SKIP() << "debugfs cannot be read";
	const std::uint32_t handle = dev().buffer(size);
	ASSERT_EQ(map(handle, at, size), 0);
	const long whole = segments() - before;
	std::cout << "note: " << whole << " segments for 16 MiB\n";
	EXPECT_GE(whole, 1);
	EXPECT_LE(whole, static_cast<long>(2 * size / large));
	/* A page from the middle of a piece is one. */
	drm_oac_map part = { context_, handle, 2 * at, large + 5 * page, page, DRM_OAC_MAP_READ,
			     0,	       0,      0 };
	ASSERT_EQ(dev()(part), 0);
	EXPECT_EQ(segments() - before, whole + 1);
	ASSERT_EQ(unmap(at, size), 0);
	EXPECT_EQ(segments() - before, 1);
	ASSERT_EQ(unmap(2 * at, page), 0);
	EXPECT_EQ(segments(), before);
}

/* By what the nodes have left: a mapping of these pages is one that nothing else can look through. */
TEST_F(pages, come_from_the_node_that_the_caller_names)
{
	constexpr std::int64_t much = 8 * static_cast<std::int64_t>(size), noise = much / 4;

	if (!has_node(1))
		GTEST_SKIP() << "one memory node only (run.py --numa)";
	for (unsigned node : { 1u, 0u, 1u }) {
		const std::int64_t near = free_of(node), far = free_of(1 - node);
		drm_gem_close close = {};
		std::uint64_t offset = 0;

		ASSERT_GT(near, 2 * much);
		ASSERT_EQ(bind_to(node), 0) << errno;
		const std::uint32_t handle = close.handle = dev().buffer(much, &offset);
		TearDown();
		const std::int64_t from_near = near - free_of(node);
		const std::int64_t from_far = far - free_of(1 - node);
		EXPECT_LT(std::abs(from_near - much), noise) << node << ' ' << from_near;
		EXPECT_LT(std::abs(from_far), noise) << node << ' ' << from_far;
		/* The card reaches either node's. */
		const mapping seen(dev(), offset, much);
		ASSERT_TRUE(seen.is_valid());
		ASSERT_EQ(map(handle, at, much), 0);
		ASSERT_EQ(fill(at, much, node + 5), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
		for (std::int64_t i = 0; i < much; i += large)
			EXPECT_EQ(*seen.at<std::uint64_t>(i), node + 5) << i;
		ASSERT_EQ(unmap(at, much), 0);
		ASSERT_EQ(dev()(close), 0);
	}
}
