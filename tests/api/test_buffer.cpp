// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Buffers and maps: sizes, rights, parts, limits; what a command sees after an unmap.
#include "fixture.hpp"

#include <algorithm>

namespace
{

using api::page;

class buffer_test : public api::queue_test
{
protected:
	accel::completion fill(std::uint64_t address, std::uint64_t size = 8)
	{
		return api::run(queue(), [&](std::uint32_t tag) {
			return queue().try_fill(address, size, std::uint8_t{ 0x5a }, tag);
		});
	}

	int map(const accel::buffer &buffer, std::size_t offset, std::size_t size, unsigned flags)
	{
		std::uint64_t address = 0;
		int result = accel_buffer_map(context().get(), buffer.get(), offset, size, flags,
					      &address);
		EXPECT_EQ(address != 0, result == 0);
		if (result == 0) {
			EXPECT_EQ(accel_buffer_unmap(context().get(), address), 0);
		}
		return result;
	}
};

TEST_F(buffer_test, size_is_rounded_up_and_memory_is_zero)
{
	for (std::size_t size : { std::size_t{ 1 }, page - 1, page, page + 1, 300 * page + 5 }) {
		accel::buffer buffer(device(), size);
		EXPECT_EQ(buffer.size(), (size + page - 1) / page * page);
		auto bytes = buffer.as<std::uint8_t>();
		EXPECT_TRUE(std::ranges::all_of(bytes, [](auto byte) { return byte == 0; }));
		std::ranges::fill(bytes, std::uint8_t{ 0xff });
	}
	accel::buffer again(device(), 300 * page);
	EXPECT_TRUE(std::ranges::all_of(again.as<std::uint64_t>(), [](auto v) { return v == 0; }));
}

TEST_F(buffer_test, wrong_sizes_are_refused)
{
	accel_buffer *buffer = nullptr;
	EXPECT_EQ(accel_buffer_alloc(device().get(), 0, &buffer), -EINVAL);
	EXPECT_LT(accel_buffer_alloc(device().get(), SIZE_MAX, &buffer), 0);
	EXPECT_LT(accel_buffer_alloc(device().get(), std::size_t{ 1 } << 62, &buffer), 0);
	EXPECT_EQ(accel_buffer_alloc(nullptr, page, &buffer), -EINVAL);
	EXPECT_EQ(accel_buffer_alloc(device().get(), page, nullptr), -EINVAL);
	EXPECT_EQ(buffer, nullptr);
	EXPECT_EQ(accel_buffer_host(nullptr), nullptr);
	EXPECT_EQ(accel_buffer_size(nullptr), 0u);
}

TEST_F(buffer_test, wrong_maps_are_einval)
{
	accel::buffer buffer(device(), 4 * page);
	constexpr unsigned both = ACCEL_MAP_READ | ACCEL_MAP_WRITE;

	EXPECT_EQ(map(buffer, 0, 0, both), 0);
	EXPECT_EQ(map(buffer, 3 * page, 0, both), 0);
	EXPECT_EQ(map(buffer, 1, page, both), -EINVAL);
	EXPECT_EQ(map(buffer, 0, page + 1, both), -EINVAL);
	EXPECT_EQ(map(buffer, 4 * page, 0, both), -EINVAL);
	EXPECT_EQ(map(buffer, 3 * page, 2 * page, both), -EINVAL);
	EXPECT_EQ(map(buffer, 0, 5 * page, both), -EINVAL);
	EXPECT_EQ(map(buffer, page, SIZE_MAX - page + 1, both), -EINVAL);
	EXPECT_EQ(map(buffer, SIZE_MAX - page + 1, 2 * page, both), -EINVAL);
	EXPECT_EQ(map(buffer, 0, page, 0), -EINVAL);
	EXPECT_EQ(map(buffer, 0, page, 0x4), -EINVAL);
	EXPECT_EQ(map(buffer, 0, page, both | 0x80000000u), -EINVAL);

	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(nullptr, buffer.get(), 0, 0, both, &address), -EINVAL);
	EXPECT_EQ(accel_buffer_map(context().get(), nullptr, 0, 0, both, &address), -EINVAL);
	EXPECT_EQ(accel_buffer_map(context().get(), buffer.get(), 0, 0, both, nullptr), -EINVAL);
}

TEST_F(buffer_test, part_is_reachable_and_the_rest_is_not)
{
	accel::buffer buffer(device(), 4 * page);
	accel::mapping part(context(), buffer, accel::map_write, page, 2 * page);

	EXPECT_EQ(part.address() % page, 0u);
	EXPECT_DONE(fill(part.address(), 2 * page));
	auto bytes = buffer.as<std::uint8_t>();
	EXPECT_EQ(std::ranges::count(bytes, 0x5a), 2 * static_cast<long>(page));
	EXPECT_EQ(bytes[page - 1], 0);
	EXPECT_EQ(bytes[page], 0x5a);
	EXPECT_EQ(bytes[3 * page - 1], 0x5a);
	EXPECT_EQ(bytes[3 * page], 0);
}

TEST_F(buffer_test, read_only_map_refuses_writes)
{
	accel::buffer buffer(device(), page);
	accel::mapping mapping(context(), buffer, accel::map_read);

	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(memory().address(), mapping.address(), page, tag);
	}));
	accel::completion done = fill(mapping.address());
	EXPECT_LT(done.result, 0);
	EXPECT_STREQ(accel_code_text(done.code), api::text_rights);
	EXPECT_EQ(done.info, mapping.address());
	EXPECT_EQ(buffer.as<std::uint8_t>()[0], 0);
}

TEST_F(buffer_test, write_only_map_refuses_reads)
{
	accel::buffer buffer(device(), page);
	accel::mapping mapping(context(), buffer, accel::map_write);

	EXPECT_DONE(fill(mapping.address()));
	accel::completion done = api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(memory().address(), mapping.address(), 8, tag);
	});
	EXPECT_LT(done.result, 0);
	EXPECT_STREQ(accel_code_text(done.code), api::text_rights);
}

TEST_F(buffer_test, command_after_unmap_faults)
{
	accel::buffer buffer(device(), page);
	accel::mapping mapping(context(), buffer);
	std::uint64_t address = mapping.address();

	EXPECT_DONE(fill(address));
	EXPECT_EQ(buffer.close(), -EBUSY);
	EXPECT_EQ(mapping.unmap(), 0);
	EXPECT_EQ(accel_buffer_unmap(context().get(), address), -ENOENT);
	accel::completion done = fill(address + 8);
	EXPECT_LT(done.result, 0);
	EXPECT_STREQ(accel_code_text(done.code), api::text_fault);
	EXPECT_EQ(done.info, address + 8);
	EXPECT_EQ(buffer.as<std::uint8_t>()[8], 0);
	EXPECT_EQ(buffer.close(), 0) << accel_error_text();
}

TEST_F(buffer_test, unmap_takes_addresses_of_maps_only)
{
	accel::buffer buffer(device(), 2 * page);
	accel::mapping mapping(context(), buffer);

	EXPECT_EQ(accel_buffer_unmap(context().get(), mapping.address() + page), -ENOENT);
	EXPECT_EQ(accel_buffer_unmap(context().get(), 0), -ENOENT);
	EXPECT_EQ(accel_buffer_unmap(context().get(), UINT64_MAX), -ENOENT);
	EXPECT_EQ(accel_buffer_unmap(nullptr, mapping.address()), -EINVAL);
	EXPECT_DONE(fill(mapping.address(), 2 * page));
}

TEST_F(buffer_test, overlapping_parts_are_two_views_of_one_memory)
{
	accel::buffer buffer(device(), 3 * page);
	accel::mapping low(context(), buffer, accel::map_write, 0, 2 * page);
	accel::mapping high(context(), buffer, accel::map_read, page, 2 * page);
	auto out = memory().take<std::uint8_t>(8);

	EXPECT_NE(low.address(), high.address());
	EXPECT_DONE(fill(low.address() + page));
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(out.address, high.address(), 8, tag);
	}));
	EXPECT_EQ(out.host[7], 0x5a);
}

TEST_F(buffer_test, one_buffer_serves_two_contexts)
{
	accel::context other(device());
	accel::buffer buffer(device(), page);
	accel::mapping here(context(), buffer), there(other, buffer);
	accel::queue second(other);

	EXPECT_DONE(fill(here.address()));
	EXPECT_DONE(api::run(second, [&](std::uint32_t tag) {
		return second.try_copy(there.address() + 8, there.address(), 8, tag);
	}));
	EXPECT_EQ(buffer.as<std::uint8_t>()[15], 0x5a);
	EXPECT_EQ(here.unmap(), 0);
	EXPECT_EQ(buffer.close(), -EBUSY);
}

TEST_F(buffer_test, too_many_maps_are_enospc_and_come_back)
{
	if (on_kernel())
		GTEST_SKIP() << "a kernel's buffer is real memory: 48 bits of it are too much";
	// Untouched memory costs nothing here, so it is the address space that runs out.
	accel_buffer *raw = nullptr;
	if (accel_buffer_alloc(device().get(), std::size_t{ 64 } << 30, &raw) != 0)
		GTEST_SKIP() << "this host has no room for it: " << accel_error_text();

	accel::context own(device());
	std::vector<std::uint64_t> addresses;
	std::uint64_t address = 0;
	int result = 0;
	while (addresses.size() < 5000) {
		result = accel_buffer_map(own.get(), raw, 0, 0, ACCEL_MAP_READ, &address);
		if (result != 0)
			break;
		addresses.push_back(address);
	}
	EXPECT_EQ(result, -ENOSPC) << accel_error_text();
	ASSERT_FALSE(addresses.empty());
	EXPECT_EQ(accel_buffer_unmap(own.get(), addresses.back()), 0);
	EXPECT_EQ(accel_buffer_map(own.get(), raw, 0, 0, ACCEL_MAP_READ, &address), 0);
	EXPECT_EQ(own.close(), 0);
	EXPECT_EQ(accel_buffer_free(raw), 0) << accel_error_text();
}

TEST_F(buffer_test, many_of_all_sizes_hold_their_data)
{
	api::numbers random(5);
	std::vector<std::pair<accel::buffer, std::uint32_t>> buffers;

	for (unsigned i = 0; i < scaled(200); i++) {
		buffers.emplace_back(accel::buffer(device(), 1 + random.next() % (64 * page)), i);
		std::ranges::fill(buffers.back().first.as<std::uint32_t>(), i);
		if (i % 3 == 2)
			buffers.erase(buffers.begin() + static_cast<long>(i / 3));
	}
	for (auto &[buffer, value] : buffers)
		EXPECT_TRUE(std::ranges::all_of(buffer.as<std::uint32_t>(),
						[&](auto v) { return v == value; }));
}

} // namespace
