// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// DRM_OAC_BO_LOCAL: the card's own memory, seen by the card and through its window.
#include "objects.hpp"
#include "on_card.hpp"

#include <vector>

#include <sys/mman.h>

using namespace oac::abi;

class local : public card_test
{
protected:
	static constexpr std::uint64_t at = 1 << 30;
	static constexpr std::uint32_t success = OAC_ST_SUCCESS;

	void SetUp() override
	{
		card_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		if (!has_local())
			GTEST_SKIP() << "no local memory: DRM_OAC_FEATURE_LOCAL_MEMORY is missing";
	}

	drm_oac_bo_create create(std::uint64_t size, int err) const
	{
		drm_oac_bo_create one = {};

		one.size = size;
		one.flags = DRM_OAC_BO_LOCAL;
		EXPECT_EQ(dev()(one), err) << size;
		return one;
	}

	void close(std::uint32_t handle) const
	{
		drm_gem_close one = {};

		one.handle = handle;
		EXPECT_EQ(dev()(one), 0);
	}
};

TEST_F(local, sizes_and_the_limit_that_was_met)
{
	const auto device = dev().info();

	EXPECT_LE(device.lmem_free, device.lmem_size);
	create(0, EINVAL);
	create(page + 1, EINVAL);
	create((1ull << 40) + page, E2BIG);
	EXPECT_EQ(create(device.lmem_size + page, ENOSPC).limit,
		  static_cast<std::uint32_t>(DRM_OAC_LIMIT_LOCAL_MEMORY));
	EXPECT_EQ(create(1ull << 40, ENOSPC).limit,
		  static_cast<std::uint32_t>(DRM_OAC_LIMIT_LOCAL_MEMORY));
	const auto half = create(device.lmem_free / 2, 0);
	EXPECT_EQ(half.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_NONE));
	EXPECT_EQ(dev().info().lmem_free, device.lmem_free - device.lmem_free / 2);
	close(half.handle);
	EXPECT_EQ(dev().info().lmem_free, device.lmem_free);
}

TEST_F(local, window_and_card_see_the_same)
{
	constexpr std::size_t size = 64 * page;
	std::uint64_t offset = 0, host_offset = 0;
	const std::uint32_t handle = local_buffer(size, &offset);
	const std::uint32_t host_handle = dev().buffer(size, &host_offset);
	const mapping window(dev(), offset, size), host(dev(), host_offset, size);

	ASSERT_TRUE(window.is_valid() && host.is_valid());
	ASSERT_EQ(map(handle, at, size), 0);
	ASSERT_EQ(map(host_handle, at + size, size), 0);
	for (std::size_t i = 0; i < size; i += 8)
		*window.at<std::uint64_t>(i) = i + 1;
	ASSERT_EQ(copy(at, at + size, size), success);
	for (std::size_t i = 0; i < size; i += 8)
		ASSERT_EQ(*host.at<std::uint64_t>(i), i + 1);
	ASSERT_EQ(fill(at, size, 0x0123456789abcdefull), success);
	EXPECT_EQ(*window.at<std::uint64_t>(0), 0x0123456789abcdefull);
	EXPECT_EQ(*window.at<std::uint64_t>(size - 8), 0x0123456789abcdefull);
}

TEST_F(local, maps_of_a_part_and_with_fewer_rights)
{
	constexpr std::uint64_t size = 8 * page;
	std::uint64_t offset = 0;
	const std::uint32_t handle = local_buffer(size, &offset);
	const mapping window(dev(), offset, size);
	drm_oac_map part = {};

	ASSERT_TRUE(window.is_valid());
	part.context = context_;
	part.handle = handle;
	part.va = at;
	part.offset = 3 * page;
	part.size = 2 * page;
	part.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	ASSERT_EQ(dev()(part), 0);
	ASSERT_EQ(fill(at, 2 * page, u64_max), success);
	for (std::uint64_t i = 0; i < size; i += page)
		EXPECT_EQ(*window.at<std::uint64_t>(i),
			  i / page == 3 || i / page == 4 ? u64_max : 0);
	part.offset = 7 * page;
	part.va = 2 * at;
	EXPECT_EQ(dev()(part), EINVAL);
	ASSERT_EQ(map(handle, 3 * at, page, DRM_OAC_MAP_READ), 0);
	EXPECT_EQ(fill(3 * at, page, 1), static_cast<std::uint32_t>(OAC_ST_ACCESS_RIGHTS));
}

TEST_F(local, next_owner_finds_zeroes)
{
	const std::uint64_t size = dev().info().lmem_free / 4 / page * page;
	std::uint64_t offset = 0;

	for (unsigned round = 0; round < 3; round++) {
		const std::uint32_t handle = local_buffer(size, &offset);
		const mapping window(dev(), offset, size);

		ASSERT_TRUE(window.is_valid());
		for (std::uint64_t i = 0; i < size; i += 64 * page)
			ASSERT_EQ(*window.at<std::uint64_t>(i), 0u) << round << ' ' << i;
		ASSERT_EQ(map(handle, at, size), 0);
		ASSERT_EQ(fill(at, size, u64_max), success);
		ASSERT_EQ(unmap(at, size), 0);
		close(handle);
	}
}

TEST_F(local, is_kept_by_its_mapping_and_given_back_then)
{
	const auto before = objects(path());
	const std::uint64_t free = dev().info().lmem_free;
	std::uint64_t offset = 0;

	{
		const std::uint32_t handle = local_buffer(16 * page, &offset);
		const mapping window(dev(), offset, 16 * page);

		ASSERT_TRUE(window.is_valid());
		*window.at<std::uint32_t>(page) = 7;
		close(handle);
		EXPECT_EQ(*window.at<std::uint32_t>(page), 7u);
		EXPECT_EQ(dev().info().lmem_free, free - 16 * page);
	}
	EXPECT_EQ(dev().info().lmem_free, free);
	EXPECT_EQ(objects(path()), before);
}

TEST_F(local, mapping_is_shared_and_not_larger)
{
	const node other = open();
	std::uint64_t offset = 0;

	local_buffer(2 * page, &offset);
	EXPECT_FALSE(mapping(dev(), offset, 3 * page).is_valid());
	EXPECT_EQ(errno, EINVAL);
	EXPECT_FALSE(mapping(other, offset, page).is_valid());
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_PRIVATE, dev().fd(),
		       static_cast<off_t>(offset)),
		  MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
}

/* Another image means empty memory: who still has a buffer of before sees none of it. */
TEST_F(local, buffers_are_stale_after_a_firmware_load)
{
	std::vector<char> image = firmware_image();
	drm_oac_context_destroy destroy = { context_, 0 };
	drm_oac_firmware_load load = {};
	std::uint64_t offset = 0, next_offset = 0;

	if (image.empty())
		GTEST_SKIP() << "no image to load (OAC_TEST_FIRMWARE)";
	const std::uint32_t handle = local_buffer(4 * page, &offset);
	const mapping window(dev(), offset, 4 * page);
	ASSERT_TRUE(window.is_valid());
	*window.at<std::uint32_t>() = 42;
	ASSERT_EQ(dev()(destroy), 0);
	load.data = reinterpret_cast<std::uintptr_t>(image.data());
	load.size = image.size();
	ASSERT_EQ(dev()(load), 0);
	EXPECT_EQ(dev().info().lmem_free, dev().info().lmem_size);
	EXPECT_EQ(*window.at<std::uint32_t>(), 0u);
	local_buffer(4 * page, &next_offset);
	const mapping next(dev(), next_offset, 4 * page);
	ASSERT_TRUE(next.is_valid());
	*next.at<std::uint32_t>() = 1;
	*window.at<std::uint32_t>() = 2;
	EXPECT_EQ(*next.at<std::uint32_t>(), 1u);
	EXPECT_EQ(*window.at<std::uint32_t>(), 2u);
	context_ = dev().context();
	EXPECT_EQ(map(handle, at, 4 * page), ESTALE);
	close(handle);
}
