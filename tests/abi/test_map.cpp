// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

using namespace oac::abi;

class map : public device_test
{
protected:
	static constexpr std::uint64_t size = 8 * page;
	static constexpr std::uint64_t va_end = 1ull << OAC_VA_BITS;

	void SetUp() override
	{
		device_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		good_.context = dev().context();
		good_.handle = dev().buffer(size);
		good_.va = 16 * page;
		good_.size = size;
		good_.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	}

	template <typename Change>
	int with(Change change, const node *on = nullptr) const
	{
		drm_oac_map arg = good_;

		change(arg);
		return (on ? *on : dev())(arg);
	}

	int unmap(std::uint64_t va, std::uint64_t length) const
	{
		drm_oac_unmap arg = { good_.context, 0, va, length };

		return dev()(arg);
	}

	drm_oac_map good_ = {};
};

TEST_F(map, refuses_one_wrong_field_at_a_time)
{
	for (std::uint64_t va : { std::uint64_t{ 0 }, std::uint64_t{ 1 }, page + 8, va_end,
				  va_end - size + page, u64_max - page + 1, u64_max })
		EXPECT_EQ(with([&](auto &m) { m.va = va; }), EINVAL) << "va " << va;
	for (std::uint64_t length : { std::uint64_t{ 0 }, std::uint64_t{ 1 }, size + page, page + 1,
				      u64_max - page + 1, u64_max })
		EXPECT_EQ(with([&](auto &m) { m.size = length; }), EINVAL) << "size " << length;
	for (std::uint64_t offset : { std::uint64_t{ 1 }, page, size, u64_max - page + 1, u64_max })
		EXPECT_EQ(with([&](auto &m) { m.offset = offset; }), EINVAL) << "offset " << offset;
	for (std::uint32_t flags : { 0u, 4u, 7u, 0x80000001u, u32_max })
		EXPECT_EQ(with([&](auto &m) { m.flags = flags; }), EINVAL) << "flags " << flags;
	EXPECT_EQ(with([](auto &m) { m.pad = 1; }), EINVAL);
	for (std::uint32_t id : { 0u, good_.context + 1, u32_max })
		EXPECT_EQ(with([&](auto &m) { m.context = id; }), ENOENT) << "context " << id;
	for (std::uint32_t id : { 0u, good_.handle + 1, u32_max })
		EXPECT_EQ(with([&](auto &m) { m.handle = id; }), ENOENT) << "handle " << id;
	EXPECT_EQ(with([](auto &) {}), 0);
}

TEST_F(map, takes_the_ends_of_the_address_space)
{
	EXPECT_EQ(with([](auto &m) { m.va = page; }), 0);
	EXPECT_EQ(with([](auto &m) { m.va = va_end - size; }), 0);
	EXPECT_EQ(unmap(page, size), 0);
	EXPECT_EQ(unmap(va_end - size, size), 0);
}

TEST_F(map, ids_of_another_file_do_not_exist)
{
	const node other = open();

	EXPECT_EQ(with([](auto &) {}, &other), ENOENT);
	/* Own context, the other's buffer. */
	const std::uint32_t own = other.context();
	EXPECT_EQ(with([&](auto &m) { m.context = own; }, &other), ENOENT);
}

TEST_F(map, closed_handle_is_gone_but_its_map_stays)
{
	drm_gem_close close = {};

	EXPECT_EQ(with([](auto &) {}), 0);
	close.handle = good_.handle;
	EXPECT_EQ(dev()(close), 0);
	EXPECT_EQ(with([](auto &m) { m.va += size; }), ENOENT);
	EXPECT_EQ(unmap(good_.va, size), 0);
}

TEST_F(map, refuses_every_kind_of_overlap)
{
	EXPECT_EQ(with([](auto &) {}), 0);
	const std::uint64_t va = good_.va;
	const struct {
		std::uint64_t va, size;
		int err;
	} cases[] = {
		{ va, size, EEXIST },
		{ va, page, EEXIST },
		{ va + 3 * page, page, EEXIST },
		{ va + size - page, 2 * page, EEXIST },
		{ va - page, 2 * page, EEXIST },
		{ va - page, page, 0 },
		{ va + size, page, 0 },
	};

	for (const auto &one : cases)
		EXPECT_EQ(with([&](auto &m) {
				  m.va = one.va;
				  m.size = one.size;
			  }),
			  one.err)
			<< one.va << ' ' << one.size;
}

TEST_F(map, unmap_takes_exact_ranges_only)
{
	EXPECT_EQ(with([](auto &) {}), 0);
	EXPECT_EQ(unmap(good_.va, page), ENOENT);
	EXPECT_EQ(unmap(good_.va + page, size - page), ENOENT);
	EXPECT_EQ(unmap(good_.va - page, size), ENOENT);
	EXPECT_EQ(unmap(good_.va, size + page), ENOENT);
	EXPECT_EQ(unmap(0, size), ENOENT);
	EXPECT_EQ(unmap(good_.va, 0), EINVAL);
	EXPECT_EQ(unmap(good_.va + 1, size), EINVAL);
	EXPECT_EQ(unmap(u64_max, u64_max), EINVAL);
	drm_oac_unmap padded = { good_.context, 1, good_.va, size };
	EXPECT_EQ(dev()(padded), EINVAL);
	drm_oac_unmap elsewhere = { good_.context + 1, 0, good_.va, size };
	EXPECT_EQ(dev()(elsewhere), ENOENT);
	EXPECT_EQ(unmap(good_.va, size), 0);
	EXPECT_EQ(unmap(good_.va, size), ENOENT);
}

TEST_F(map, same_buffer_in_many_places)
{
	for (std::uint64_t i = 0; i < 64; i++)
		ASSERT_EQ(with([&](auto &m) {
				  m.va = (i + 1) << 24;
				  m.offset = (i % 8) * page;
				  m.size = page;
			  }),
			  0);
	for (std::uint64_t i = 0; i < 64; i++)
		ASSERT_EQ(unmap((i + 1) << 24, page), 0);
}
