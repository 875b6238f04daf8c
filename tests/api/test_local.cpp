// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Local memory: zeroed, reachable from both sides, counted, and harmless once the card is gone.
#include "fixture.hpp"

#include <algorithm>

#include "emulator_process.hpp"

namespace
{

using api::page;

class local_test : public api::queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (HasFatalFailure())
			return;
		accel_buffer *raw = nullptr;
		const int result = accel_buffer_alloc_local(device().get(), page, &raw);
		if (result == -EOPNOTSUPP)
			GTEST_SKIP() << "no local memory here: " << accel_error_text();
		ASSERT_EQ(result, 0) << accel_error_text();
		EXPECT_EQ(accel_buffer_free(raw), 0);
	}

	std::uint64_t free_bytes() { return number(ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES); }
};

bool is_all(const accel::buffer &buffer, std::uint8_t value)
{
	return std::ranges::all_of(buffer.as<std::uint8_t>(),
				   [=](auto byte) { return byte == value; });
}

TEST_F(local_test, has_kind_size_and_zeroes)
{
	for (std::size_t size : { std::size_t{ 1 }, page + 1, 700 * page }) {
		auto buffer = accel::buffer::local(device(), size);
		EXPECT_EQ(buffer.size(), (size + page - 1) / page * page);
		EXPECT_EQ(buffer.kind(), ACCEL_BUFFER_LOCAL);
		ASSERT_FALSE(buffer.bytes().empty());
		EXPECT_TRUE(is_all(buffer, 0));
	}
	EXPECT_EQ(memory().buffer().kind(), ACCEL_BUFFER_HOST);
}

TEST_F(local_test, host_and_card_see_the_same)
{
	auto local = accel::buffer::local(device(), 4 * page);
	accel::mapping mapping(context(), local);
	auto host = memory().take<std::uint32_t>(page);

	auto words = local.as<std::uint32_t>();
	for (std::uint32_t i = 0; i < words.size(); i++)
		words[i] = i * 2654435761u;
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(host.address, mapping.address(), 4 * page, tag);
	}));
	EXPECT_TRUE(std::ranges::equal(words, host.host));
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_fill(mapping.address() + page, page, 0x5a5a5a5au, tag);
	}));
	EXPECT_EQ(words[page / 4], 0x5a5a5a5au);
	EXPECT_EQ(words[2 * page / 4 - 1], 0x5a5a5a5au);
	EXPECT_EQ(words[2 * page / 4], std::uint32_t{ 2 * page / 4 } * 2654435761u);
}

TEST_F(local_test, parts_and_rights_hold)
{
	auto local = accel::buffer::local(device(), 3 * page);
	const auto fill = [&](std::uint64_t address) {
		accel::queue own(context(), 4);
		return api::run(own, [&](std::uint32_t tag) {
			return own.try_fill(address, page, std::uint8_t{ 0x5a }, tag);
		});
	};
	{
		accel::mapping part(context(), local, accel::map_read, page, page);
		const auto done = fill(part.address());
		EXPECT_LT(done.result, 0);
		EXPECT_STREQ(accel_code_text(done.code), api::text_rights);
		EXPECT_TRUE(is_all(local, 0));
	}
	accel::mapping part(context(), local, accel::map_write, page, page);
	EXPECT_DONE(fill(part.address()));
	auto bytes = local.as<std::uint8_t>();
	EXPECT_EQ(std::ranges::count(bytes, 0x5a), static_cast<long>(page));
	EXPECT_EQ(bytes[page], 0x5a);
	EXPECT_EQ(bytes[2 * page - 1], 0x5a);
}

TEST_F(local_test, next_owner_finds_zeroes)
{
	// All of what is free, twice, so that the same bytes come again.
	const std::uint64_t size = std::min<std::uint64_t>(free_bytes(), 8 << 20);
	for (unsigned i = 0; i < 2; i++) {
		auto local = accel::buffer::local(device(), size);
		EXPECT_TRUE(is_all(local, 0)) << "time " << i;
		std::ranges::fill(local.as<std::uint64_t>(), 0x5ec2e7);
	}
	std::vector<accel::buffer> all;
	for (unsigned i = 0; i < 16; i++) {
		all.push_back(accel::buffer::local(device(), size / 16));
		EXPECT_TRUE(is_all(all.back(), 0)) << "part " << i;
	}
}

TEST_F(local_test, what_is_taken_is_counted_and_comes_back)
{
	const std::uint64_t before = free_bytes();
	EXPECT_LE(before, number(ACCEL_NUMBER_LOCAL_MEMORY_BYTES));
	{
		auto local = accel::buffer::local(device(), 16 * page);
		EXPECT_EQ(free_bytes(), before - 16 * page);
		accel::mapping mapping(context(), local);
		EXPECT_EQ(local.close(), -EBUSY);
	}
	EXPECT_EQ(free_bytes(), before);
}

TEST_F(local_test, the_end_is_enospc_and_says_so)
{
	accel_buffer *raw = nullptr;
	const std::uint64_t all = number(ACCEL_NUMBER_LOCAL_MEMORY_BYTES);
	EXPECT_EQ(accel_buffer_alloc_local(device().get(), all + page, &raw), -ENOSPC);
	EXPECT_NE(std::string_view(accel_error_text()).find("local memory"), std::string_view::npos)
		<< accel_error_text();
	EXPECT_EQ(accel_buffer_alloc_local(device().get(), 0, &raw), -EINVAL);
	EXPECT_EQ(accel_buffer_alloc_local(nullptr, page, &raw), -EINVAL);
	EXPECT_EQ(accel_buffer_alloc_local(device().get(), page, nullptr), -EINVAL);
	EXPECT_EQ(raw, nullptr);

	const std::uint64_t before = free_bytes();
	std::vector<accel::buffer> parts;
	int result = 0;
	while (parts.size() < 1000) {
		result = accel_buffer_alloc_local(device().get(), before / 8, &raw);
		if (result != 0)
			break;
		accel_buffer_free(raw);
		parts.push_back(accel::buffer::local(device(), before / 8));
	}
	EXPECT_EQ(result, -ENOSPC) << accel_error_text();
	EXPECT_GE(parts.size(), 7u);
	parts.clear();
	EXPECT_EQ(free_bytes(), before);
}

TEST_F(local_test, two_owners_do_not_meet)
{
	accel::device again(string(ACCEL_STRING_NAME));
	accel::context other(again);
	std::vector<accel::buffer> ours, theirs;

	for (std::uint8_t i = 0; i < 32; i++) {
		ours.push_back(accel::buffer::local(device(), (1 + i % 3) * page));
		theirs.push_back(accel::buffer::local(again, (1 + i % 5) * page));
		std::ranges::fill(ours.back().as<std::uint8_t>(), i);
		std::ranges::fill(theirs.back().as<std::uint8_t>(),
				  static_cast<std::uint8_t>(0x80 + i));
		if (i % 4 == 3)
			ours.erase(ours.begin());
	}
	for (std::size_t i = 0; i < ours.size(); i++)
		EXPECT_TRUE(is_all(ours[i], static_cast<std::uint8_t>(i + 32 - ours.size())));
	for (std::size_t i = 0; i < theirs.size(); i++)
		EXPECT_TRUE(is_all(theirs[i], static_cast<std::uint8_t>(0x80 + i)));
	accel_buffer *foreign = theirs[0].get();
	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(context().get(), foreign, 0, 0, ACCEL_MAP_READ, &address),
		  -EXDEV);
}

TEST(local, a_lost_card_leaves_memory_in_its_place)
{
	api::emulator_process server;
	if (!server.is_there())
		GTEST_SKIP() << "accel-emu is not beside this program: no card to lose";
	accel::device device("socket:" + server.socket());
	accel::context context(device);
	accel::queue queue(context);
	auto local = accel::buffer::local(device, 16 * page);
	accel::mapping mapping(context, local);
	auto bytes = local.as<std::uint8_t>();

	std::ranges::fill(bytes, std::uint8_t{ 0x11 });
	server.kill();
	ASSERT_EQ(queue.try_nop(1), 0);
	queue.submit();
	accel::completion done{};
	EXPECT_EQ(queue.wait({ &done, 1 }), -ENODEV);
	std::ranges::fill(bytes, std::uint8_t{ 0x22 });
	EXPECT_TRUE(is_all(local, 0x22));
	accel_buffer *raw = nullptr;
	EXPECT_EQ(accel_buffer_alloc_local(device.get(), page, &raw), -ENODEV);
	/* What it was made of can be given up nevertheless. */
	EXPECT_EQ(mapping.unmap(), -ENODEV);
	EXPECT_EQ(local.close(), 0) << accel_error_text();
}

} // namespace
