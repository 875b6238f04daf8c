// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include <vector>

using namespace oac::abi;

class context : public device_test
{};

TEST_F(context, refuses_flags)
{
	for (std::uint32_t flags : { 1u, 0x80000000u, u32_max }) {
		drm_oac_context_create create = { flags, 0, 0, 0 };

		EXPECT_EQ(dev()(create), EINVAL) << flags;
	}
}

TEST_F(context, ids_differ_and_end_with_destroy)
{
	const std::uint32_t first = dev().context();
	const std::uint32_t second = dev().context();

	EXPECT_NE(first, second);
	drm_oac_context_destroy destroy = { first, 0 };
	EXPECT_EQ(dev()(destroy), 0);
	EXPECT_EQ(dev()(destroy), ENOENT);
	destroy.context = second;
	EXPECT_EQ(dev()(destroy), 0);
}

TEST_F(context, destroy_refuses_padding_and_ids_that_are_not_there)
{
	const std::uint32_t id = dev().context();
	drm_oac_context_destroy destroy = { id, 1 };

	EXPECT_EQ(dev()(destroy), EINVAL);
	for (std::uint32_t wrong : { 0u, id + 1, 0x7fffffffu, u32_max }) {
		destroy = { wrong, 0 };
		EXPECT_EQ(dev()(destroy), ENOENT) << wrong;
	}
	destroy = { id, 0 };
	EXPECT_EQ(dev()(destroy), 0);
}

TEST_F(context, is_unknown_to_another_file)
{
	const node other = open();
	const std::uint32_t id = dev().context();
	drm_oac_context_destroy destroy = { id, 0 };

	EXPECT_EQ(other(destroy), ENOENT);
	/* Id spaces are apart: the other file gets the same number, for a context of its own. */
	EXPECT_EQ(other.context(), id);
	EXPECT_EQ(other(destroy), 0);
	EXPECT_EQ(dev()(destroy), 0);
}

TEST_F(context, runs_out_at_the_cards_limit_and_closing_gives_back)
{
	const auto before = dev().info();
	{
		const node other = open();
		drm_oac_context_create create = {};
		std::uint32_t count = before.contexts;
		int err = 0;

		while ((err = other(create)) == 0)
			count++;
		EXPECT_EQ(err, ENOSPC);
		EXPECT_EQ(count, before.max_contexts);
		EXPECT_EQ(dev().info().contexts, before.max_contexts);
	}
	EXPECT_EQ(dev().info().contexts, before.contexts);
	dev().context();
}
