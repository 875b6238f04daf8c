// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Hostile rings and doorbells, and ids of other clients, through the kernel's ABI. Only behind the
// kernel driver: nothing else stands between two programs.
#include "fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <sys/mman.h>

#include "raw_client.hpp"

namespace
{

using isolation::raw_client;

constexpr std::uint32_t state_running = 0, state_error = 1;
constexpr const char *text_doorbell = "the doorbell value is further ahead than the ring is deep";

class raw_test : public isolation::isolation_test
{
protected:
	void SetUp() override
	{
		isolation_test::SetUp();
		if (HasFatalFailure())
			return;
		if (!on_kernel())
			GTEST_SKIP() << "needs the kernel driver; this card is "
				     << string(ACCEL_STRING_NAME);
		node_ = string(ACCEL_STRING_NODE);
		if (!(raw_client(node_).features() & DRM_OAC_FEATURE_USER_SUBMIT))
			GTEST_SKIP() << "the driver gives out no doorbells here "
					"(DRM_OAC_FEATURE_USER_SUBMIT)";
	}

	/// The queue stops with an error, and says which.
	void expect_stopped(raw_client &client, const char *why)
	{
		drm_oac_queue_wait now = client.wait(0);
		for (unsigned i = 0; i < 1000 && now.state != state_error; i++)
			now = client.wait(now.completed);
		EXPECT_EQ(now.state, state_error);
		EXPECT_NE(now.status, 0u);
		if (why) {
			EXPECT_STREQ(accel_code_text(now.status), why);
		}
	}

	std::string node_;
	api::numbers random_{ 17 };
};

TEST_F(raw_test, the_client_itself_works)
{
	raw_client client(node_);
	ASSERT_EQ(client.create_queue(), 0);
	client.write_fill(0, 1, raw_client::base + 8 * raw_client::page, 64);
	client.write_nop(1, 2);
	client.ring_doorbell(2);
	drm_oac_queue_wait now = client.wait(0);
	while (now.completed != 2 && now.state == state_running)
		now = client.wait(now.completed);
	EXPECT_EQ(now.completed, 2u);
	EXPECT_EQ(now.state, state_running);
	EXPECT_EQ(client.memory()[8 * raw_client::page + 63], std::byte{ 0x66 });
}

TEST_F(raw_test, random_bytes_for_commands)
{
	for (unsigned i = 0; i < 50; i++) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		std::ranges::generate(client.ring(),
				      [&] { return static_cast<std::byte>(random_.next()); });
		client.ring_doorbell(raw_client::depth);
		expect_stopped(client, nullptr);
	}
}

TEST_F(raw_test, every_opcode_with_random_operands)
{
	for (unsigned opcode = 0; opcode < 256; opcode += 3) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		auto ring = client.ring();
		for (std::size_t i = 4; i < 64; i++)
			ring[i] = static_cast<std::byte>(random_.next());
		ring[0] = static_cast<std::byte>(opcode);
		client.ring_doorbell(1);
		expect_stopped(client, nullptr);
	}
}

TEST_F(raw_test, doorbell_far_ahead)
{
	for (std::uint32_t tail : { raw_client::depth + 1, 0x80000000u, UINT32_MAX }) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		client.ring_doorbell(tail);
		expect_stopped(client, text_doorbell);
	}
}

TEST_F(raw_test, doorbell_that_goes_back)
{
	raw_client client(node_);
	ASSERT_EQ(client.create_queue(), 0);
	for (std::uint32_t i = 0; i < 4; i++)
		client.write_nop(i, i);
	client.ring_doorbell(4);
	drm_oac_queue_wait now = client.wait(0);
	while (now.completed != 4 && now.state == state_running)
		now = client.wait(now.completed);
	client.ring_doorbell(1);
	expect_stopped(client, text_doorbell);
}

TEST_F(raw_test, random_arm_words_and_tails)
{
	for (unsigned i = 0; i < 50; i++) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		for (unsigned j = 0; j < 20; j++) {
			client.arm(std::uint64_t{ random_.next() } << 32 | random_.next());
			client.arm(std::uint64_t{ j } << 32);
		}
		client.ring_doorbell(random_.next() | 0x10000u);
		expect_stopped(client, text_doorbell);
	}
}

TEST_F(raw_test, commands_past_the_map)
{
	for (std::uint64_t to : { std::uint64_t{ 0x1000 }, raw_client::base - 64,
				  raw_client::base + raw_client::size - 32,
				  std::uint64_t{ 1 } << 40, std::uint64_t{ 1 } << 63 }) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		client.write_fill(0, 1, to, 64);
		client.ring_doorbell(1);
		expect_stopped(client, nullptr);
	}
}

TEST_F(raw_test, completions_cannot_be_forged)
{
	raw_client client(node_);
	ASSERT_EQ(client.create_queue(), 0);
	std::ranges::fill(client.memory().subspan(2 * raw_client::page, 2 * raw_client::page),
			  std::byte{ 0xff });
	drm_oac_queue_wait now = {};
	now.queue = client.queue();
	EXPECT_EQ(client.call(DRM_IOCTL_OAC_QUEUE_WAIT, &now), -ETIMEDOUT);
	EXPECT_EQ(now.completed, 0u);
	EXPECT_EQ(now.state, state_running);
}

TEST_F(raw_test, rings_taken_away)
{
	raw_client client(node_);
	ASSERT_EQ(client.create_queue(), 0);
	drm_oac_unmap unmap = {};
	unmap.context = client.context();
	unmap.va = raw_client::base;
	unmap.size = raw_client::size;
	int result = client.call(DRM_IOCTL_OAC_UNMAP, &unmap);
	client.ring_doorbell(1);
	if (result == 0)
		expect_stopped(client, api::text_fault);
}

TEST_F(raw_test, rings_nowhere)
{
	raw_client client(node_);
	drm_oac_queue_create request = {};
	request.context = client.context();
	request.depth_log2 = 4;
	request.priority = 1;
	request.cq_va = raw_client::base;
	request.tail_va = raw_client::base + raw_client::page;
	for (std::uint64_t sq : { std::uint64_t{ 0 }, raw_client::base + raw_client::size - 64,
				  std::uint64_t{ 1 } << 60, UINT64_MAX - 63 }) {
		request.sq_va = sq;
		EXPECT_EQ(client.call(DRM_IOCTL_OAC_QUEUE_CREATE, &request), -EINVAL) << sq;
	}
}

TEST_F(raw_test, ids_of_others_do_not_exist)
{
	raw_client mine(node_), other(node_);
	ASSERT_EQ(other.create_queue(), 0);
	ASSERT_EQ(mine.create_queue(), 0);

	for (std::uint32_t id = 0; id < 64; id++) {
		drm_oac_queue_wait wait = {};
		wait.queue = id;
		if (id != mine.queue()) {
			EXPECT_EQ(mine.call(DRM_IOCTL_OAC_QUEUE_WAIT, &wait), -ENOENT) << id;
		}
		drm_oac_context_destroy context = {};
		context.context = id;
		if (id != mine.context()) {
			EXPECT_EQ(mine.call(DRM_IOCTL_OAC_CONTEXT_DESTROY, &context), -ENOENT)
				<< id;
		}
		drm_oac_map map = {};
		map.context = mine.context();
		map.handle = id;
		map.va = 0x10000000;
		map.size = raw_client::page;
		map.flags = DRM_OAC_MAP_READ;
		if (id != mine.handle()) {
			EXPECT_EQ(mine.call(DRM_IOCTL_OAC_MAP, &map), -ENOENT) << id;
		}
	}
	other.write_nop(0, 1);
	other.ring_doorbell(1);
	EXPECT_EQ(other.wait(0).completed, 1u);
}

TEST_F(raw_test, doorbells_of_others_cannot_be_mapped)
{
	raw_client other(node_);
	ASSERT_EQ(other.create_queue(), 0);
	raw_client mine(node_);	// has no queue
	for (std::uint64_t i = 0; i < 64; i++) {
		std::uint64_t offset = other.doorbell_offset() + (i - 8) * raw_client::page;
		void *page = mmap(nullptr, raw_client::page, PROT_READ | PROT_WRITE, MAP_SHARED,
				  mine.fd(), static_cast<off_t>(offset));
		EXPECT_EQ(page, MAP_FAILED) << std::hex << offset;
		if (page != MAP_FAILED)
			munmap(page, raw_client::page);
	}
	// Nor more than the own page, nor privately.
	for (std::size_t size : { 2 * raw_client::page, 16 * raw_client::page })
		EXPECT_EQ(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, other.fd(),
			       static_cast<off_t>(other.doorbell_offset())),
			  MAP_FAILED);
}

TEST_F(raw_test, leaving_with_work_in_hand)
{
	for (unsigned i = 0; i < 50; i++) {
		raw_client client(node_);
		ASSERT_EQ(client.create_queue(), 0);
		for (std::uint32_t j = 0; j < raw_client::depth; j++)
			client.write_fill(j, j, raw_client::base + 8 * raw_client::page,
					  8 * raw_client::page);
		client.arm(std::uint64_t{ 1 } << 32);
		client.ring_doorbell(raw_client::depth);
	}
}

} // namespace
