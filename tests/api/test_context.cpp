// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Contexts: address spaces of their own, limits, and the order of closing.
#include "fixture.hpp"

#include <chrono>
#include <linux/capability.h>
#include <unistd.h>

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

TEST_F(context_test, quota_of_a_user_is_edquot_and_named)
{
	if (!on_kernel())
		GTEST_SKIP() << "a card without the kernel driver has one user";
	const api::without_capability bound(CAP_SYS_RESOURCE);
	const std::uint64_t limit = number(ACCEL_NUMBER_MAX_CONTEXTS);
	std::vector<accel::context> contexts;
	accel_context *more = nullptr;
	int result = 0;
	while (contexts.size() <= limit) {
		result = accel_context_create(device().get(), &more);
		if (result != 0)
			break;
		accel_context_destroy(more);
		contexts.emplace_back(device());
	}
	EXPECT_EQ(result, -EDQUOT);
	EXPECT_NE(std::string_view(accel_error_text()).find("user_contexts"),
		  std::string_view::npos)
		<< accel_error_text();
	EXPECT_GT(contexts.size(), 0u);
	contexts.clear();
	EXPECT_EQ(accel_context_create(device().get(), &more), 0) << accel_error_text();
	accel_context_destroy(more);
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

TEST_F(context_test, usage_counts_what_it_holds_and_spent)
{
	accel::context context(device());
	accel_usage usage = context.usage();
	EXPECT_EQ(usage.queues, 0u);
	EXPECT_EQ(usage.maps, 0u);
	EXPECT_EQ(usage.mapped_bytes, 0u);
	EXPECT_EQ(usage.commands, 0u);
	EXPECT_EQ(usage.errors, 0u);

	api::arena memory(device(), context, 64 * api::page);
	{
		accel::queue queue(context, 16), broken(context, 16);
		for (unsigned i = 0; i < 5; i++)
			EXPECT_DONE(api::run(queue, [&](std::uint32_t tag) {
				return queue.try_copy(memory.address(),
						      memory.address() + 32 * api::page,
						      32 * api::page, tag);
			}));
		EXPECT_LT(api::run(broken,
				   [&](std::uint32_t tag) {
					   return broken.try_fill(1ull << 46, 8, 1u, tag);
				   })
				  .result,
			  0);
		const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
		do
			usage = context.usage();
		while (usage.commands < 6 && std::chrono::steady_clock::now() < end);
		EXPECT_EQ(usage.queues, 2u);
		EXPECT_EQ(usage.maps, 1u);
		EXPECT_EQ(usage.mapped_bytes, 64 * api::page);
		EXPECT_EQ(usage.commands, 6u);
		EXPECT_EQ(usage.errors, 1u);
		EXPECT_GT(usage.copy_ns, 0u);
	}
	// Queues that ended count on.
	const accel_usage after = context.usage();
	EXPECT_EQ(after.queues, 0u);
	EXPECT_EQ(after.commands, 6u);
	EXPECT_EQ(after.errors, 1u);
	EXPECT_EQ(after.copy_ns, usage.copy_ns);
	EXPECT_EQ(accel_context_usage(nullptr, &usage), -EINVAL);
	EXPECT_EQ(accel_context_usage(context.get(), nullptr), -EINVAL);
}

TEST_F(context_test, clients_of_the_card_include_this_one)
{
	const auto mine = [&]() -> std::optional<accel::client> {
		std::optional<accel::client> sum;
		for (const accel::client &one : device().clients()) {
			if (one.pid != getpid())
				continue;
			if (!sum)
				sum.emplace(accel::client{});
			sum->contexts += one.contexts;
			sum->queues += one.queues;
			sum->host_bytes += one.host_bytes;
			sum->local_bytes += one.local_bytes;
			sum->commands += one.commands;
		}
		return sum;
	};
	const auto before = mine();
	ASSERT_TRUE(before);
	accel::context context(device());
	accel::queue queue(context, 4);
	accel::buffer buffer(device(), 1 << 20);
	EXPECT_DONE(api::run(queue, [&](std::uint32_t tag) { return queue.try_nop(tag); }));
	/* The card counts for the driver after it has told the program. */
	auto now = mine();
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
	while (now && now->commands == before->commands && std::chrono::steady_clock::now() < end)
		now = mine();
	ASSERT_TRUE(now);
	EXPECT_EQ(now->contexts, before->contexts + 1);
	EXPECT_EQ(now->queues, before->queues + 1);
	EXPECT_GE(now->host_bytes, before->host_bytes + (1 << 20));
	EXPECT_EQ(now->commands, before->commands + 1);

	EXPECT_GE(accel_device_clients(device().get(), nullptr, 0), 1);
	EXPECT_EQ(accel_device_clients(device().get(), nullptr, 1), -EINVAL);
	accel_client one{};
	EXPECT_EQ(accel_device_clients(device().get(), &one, -1), -EINVAL);
	EXPECT_EQ(accel_device_clients(nullptr, &one, 1), -EINVAL);
	EXPECT_GE(accel_device_clients(device().get(), &one, 1), 1);
	EXPECT_NE(one.id, 0u);
}

} // namespace
