// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A test bench: one card, a fake host, and what a driver does to use it: boot, admin commands,
// maps, queues. Host memory is handed out by alloc(); user(n) is a queue with its rings.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include <hw/oac_admin.h>
#include <hw/oac_ops.h>
#include <hw/oac_queue.h>

#include "fake_host.hpp"
#include "firmware_builder.hpp"

namespace oac::emu::test
{

inline constexpr std::uint64_t MIB = 1ull << 20;

/* A queue as its user sees it. Rings are mapped one to one: va == bus address. */
struct user_queue {
	std::uint16_t id;
	std::uint32_t depth;
	std::uint64_t sq, cq, tail, progress;
	std::uint32_t written = 0, reaped = 0;
};

class bench : public ::testing::Test
{
protected:
	bench() { power_up({}); }

	void power_up(card_config config);
	/* Steps until there is nothing to do; fails if that takes too long. */
	void settle(unsigned limit = 2000000);
	std::uint64_t alloc(std::uint64_t size);
	template <typename Type>
	Type &host(std::uint64_t addr)
	{
		return *reinterpret_cast<Type *>(host_.at(addr));
	}
	template <typename Type>
	Type *array(std::uint64_t addr)
	{
		return reinterpret_cast<Type *>(host_.at(addr));
	}

	std::uint32_t reg(std::uint64_t offset);
	bool set_reg(std::uint64_t offset, std::uint32_t value);

	/* Boots an image from host memory; the state it ends in. */
	std::uint32_t boot(const std::vector<std::byte> &image);
	void boot() { ASSERT_EQ(boot(firmware_builder{}.build()), OAC_STATE_RUNNING); }
	void enable_admin(std::uint32_t depth = 16);
	oac_completion admin(oac_admin_cmd cmd);
	std::uint16_t status_of(const oac_admin_cmd &cmd) { return admin(cmd).status; }
	void start(); /* boot, admin queue, context 1 with the whole host memory mapped 1:1 */

	oac_admin_cmd command(unsigned opcode, std::uint32_t context = 0);
	oac_admin_cmd map_command(std::uint32_t context, std::uint64_t va,
				  const std::vector<oac_segment> &segments, std::uint32_t flags);
	std::uint16_t map(std::uint32_t context, std::uint64_t va,
			  const std::vector<oac_segment> &segments, std::uint32_t flags);
	std::uint16_t unmap(std::uint32_t context, std::uint64_t va, std::uint64_t length);
	oac_admin_cmd queue_command(std::uint16_t id, std::uint32_t context, unsigned depth_log2);
	user_queue create_queue(std::uint16_t id, std::uint32_t context = 1,
				unsigned depth_log2 = 4, std::uint8_t priority = 1);
	template <typename Entry>
	std::vector<Entry> get_log(unsigned page, std::uint64_t start = 0);
	std::uint64_t counter(unsigned id);
	std::vector<std::uint16_t> event_codes();

	void push(user_queue &q, const oac_cmd &cmd);
	void ring(const user_queue &q) { ring(q.id, q.written); }
	void ring(unsigned id, std::uint32_t tail);
	void arm(unsigned id, std::uint32_t sequence, std::uint32_t seen);
	/* The next completion if it is there; checks phase and published tail. */
	std::optional<oac_completion> reap(user_queue &q);
	/* Pushes one command, rings, settles, reaps. */
	oac_completion run(user_queue &q, const oac_cmd &cmd);
	oac_completion exec(user_queue &q, const oac_op &op);
	const oac_progress &progress(const user_queue &q) { return host<oac_progress>(q.progress); }

	fake_host host_;
	std::unique_ptr<card> card_;
	std::uint64_t next_ = fake_host::BASE;
	std::uint64_t admin_sq_ = 0, admin_cq_ = 0;
	std::uint32_t admin_depth_ = 0, admin_count_ = 0;
	std::uint32_t next_tag_ = 1;
};

oac_cmd make_cmd(unsigned opcode, std::uint32_t tag = 77);

template <typename Entry>
std::vector<Entry> bench::get_log(unsigned page, std::uint64_t start)
{
	constexpr std::size_t room = 64;
	const std::uint64_t data = alloc(room * sizeof(Entry));
	oac_admin_cmd cmd = command(OAC_ADMIN_GET_LOG);

	cmd.data_addr = data;
	cmd.data_size = room * sizeof(Entry);
	cmd.arg.get_log.page = page;
	cmd.arg.get_log.start = start;
	const oac_completion done = admin(cmd);
	EXPECT_EQ(done.status, OAC_ST_SUCCESS);
	return std::vector<Entry>(array<Entry>(data), array<Entry>(data) + done.info);
}

} // namespace oac::emu::test
