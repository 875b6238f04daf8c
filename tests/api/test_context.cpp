// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Contexts: address spaces of their own, limits, and the order of closing.
#include "fixture.hpp"

namespace
{

class context_test : public api::card_test
{};

TEST_F(context_test, arguments_are_checked)
{
	accel_context *context = nullptr;
	EXPECT_EQ(accel_context_create(nullptr, &context), -EINVAL);
	EXPECT_EQ(accel_context_create(device().get(), nullptr), -EINVAL);
	EXPECT_EQ(context, nullptr);
}

TEST_F(context_test, queues_and_timelines_keep_it_open)
{
	accel::context context(device());
	{
		accel::queue queue(context);
		EXPECT_EQ(context.close(), -EBUSY);
		EXPECT_STRNE(accel_error_text(), "");
	}
	{
		accel::timeline timeline(context);
		EXPECT_EQ(context.close(), -EBUSY);
	}
	EXPECT_EQ(context.close(), 0);
}

TEST_F(context_test, maps_go_with_it)
{
	accel::buffer buffer(device(), api::page);
	accel::context context(device());
	std::uint64_t address = 0;
	ASSERT_EQ(accel_buffer_map(context.get(), buffer.get(), 0, 0, ACCEL_MAP_READ, &address), 0);
	EXPECT_EQ(buffer.close(), -EBUSY);
	ASSERT_EQ(context.close(), 0);
	EXPECT_EQ(buffer.close(), 0) << accel_error_text();
}

TEST_F(context_test, limit_is_enospc_and_comes_back)
{
	std::uint64_t limit = number(ACCEL_NUMBER_MAX_CONTEXTS);
	if (limit > scaled(4096))
		GTEST_SKIP() << limit << " contexts take too long here";

	std::vector<accel::context> contexts;
	for (std::uint64_t i = 0; i < limit; i++) {
		accel_context *raw = nullptr;
		if (accel_context_create(device().get(), &raw) != 0)
			break;	// others hold some
		accel_context_destroy(raw);
		contexts.emplace_back(device());
	}
	accel_context *more = nullptr;
	EXPECT_EQ(accel_context_create(device().get(), &more), -ENOSPC);
	EXPECT_EQ(more, nullptr);
	EXPECT_STRNE(accel_error_text(), "");
	contexts.clear();
	EXPECT_EQ(accel_context_create(device().get(), &more), 0) << accel_error_text();
	EXPECT_EQ(accel_context_destroy(more), 0);
}

TEST_F(context_test, addresses_of_one_mean_nothing_in_another)
{
	accel::context one(device()), two(device());
	// Far behind what the other context has at its own low addresses, such as rings.
	constexpr std::size_t far = 255 * api::page;
	api::arena memory(device(), one, far + api::page);
	accel::queue stranger(two), owner(one);

	auto fill = [&](accel::queue &queue, std::uint32_t value) {
		return api::run(queue, [&](std::uint32_t tag) {
			return queue.try_fill(memory.address() + far, 64, value, tag);
		});
	};
	EXPECT_DONE(fill(owner, 0x11u));
	accel::completion refused = fill(stranger, 0x22u);
	EXPECT_LT(refused.result, 0);
	EXPECT_STREQ(accel_code_text(refused.code), api::text_fault);
	EXPECT_EQ(memory.buffer().as<std::uint32_t>()[far / 4], 0x11u);
	EXPECT_DONE(fill(owner, 0x33u));
}

} // namespace
