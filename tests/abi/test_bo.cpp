// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include <sys/mman.h>

using namespace oac::abi;

class bo : public device_test
{};

TEST_F(bo, refuses_sizes_and_flags)
{
	const struct {
		std::uint64_t size;
		std::uint32_t flags;
		int err;
	} cases[] = {
		{ 0, 0, EINVAL },
		{ 1, 0, EINVAL },
		{ page - 1, 0, EINVAL },
		{ page + 1, 0, EINVAL },
		{ u64_max, 0, EINVAL },
		{ u64_max - page + 1, 0, E2BIG },
		{ (1ull << 40) + page, 0, E2BIG },
		{ 1ull << 40, 0, ENOMEM },
		{ page, 2, EINVAL },
		{ page, u32_max, EINVAL },
	};

	for (const auto &one : cases) {
		drm_oac_bo_create create = { one.size, one.flags, 0, 0, 0, 0 };

		EXPECT_EQ(dev()(create), one.err) << one.size << ' ' << one.flags;
		EXPECT_EQ(create.handle, 0u);
	}
}

TEST_F(bo, is_zeroed_and_outlives_its_handle_while_mapped)
{
	constexpr std::size_t size = 64 * page;
	std::uint64_t offset = 0;
	drm_gem_close close = {};

	close.handle = dev().buffer(size, &offset);
	const mapping memory(dev(), offset, size);
	ASSERT_TRUE(memory.is_valid());
	for (std::size_t i = 0; i < size; i += 8)
		ASSERT_EQ(*memory.at<std::uint64_t>(i), 0u) << i;
	*memory.at<std::uint64_t>(size - 8) = 42;
	EXPECT_EQ(dev()(close), 0);
	EXPECT_EQ(dev()(close), EINVAL);
	EXPECT_EQ(*memory.at<std::uint64_t>(size - 8), 42u);
}

TEST_F(bo, mapping_is_the_owners_shared_and_not_larger)
{
	const node other = open();
	std::uint64_t offset = 0;

	dev().buffer(2 * page, &offset);
	EXPECT_FALSE(mapping(dev(), offset, 3 * page).is_valid());
	EXPECT_EQ(errno, EINVAL);
	EXPECT_FALSE(mapping(other, offset, page).is_valid());
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_PRIVATE, dev().fd(),
		       static_cast<off_t>(offset)),
		  MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_TRUE(mapping(dev(), offset, page).is_valid());
}

TEST_F(bo, pages_stay_in_place_when_a_mapping_is_split)
{
	constexpr std::size_t pages = 40;
	std::uint64_t offset = 0;

	dev().buffer(pages * page, &offset);
	const mapping all(dev(), offset, pages * page);
	const mapping split(dev(), offset, pages * page);
	ASSERT_TRUE(all.is_valid() && split.is_valid());
	for (std::size_t i = 0; i < pages; i++)
		*all.at<std::uint32_t>(i * page) = static_cast<std::uint32_t>(i);
	ASSERT_EQ(munmap(const_cast<char *>(split.at<char>(3 * page)), 2 * page), 0);
	for (std::size_t i = 0; i < pages; i++) {
		if (i < 3 || i >= 5) {
			EXPECT_EQ(*split.at<std::uint32_t>(i * page), i);
		}
	}
}
