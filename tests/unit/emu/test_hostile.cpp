// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Users that write anything: the card never leaves their maps, always comes to rest, and goes on
// serving others.
#include <random>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint64_t ROOM = 64 * OAC_PAGE_SIZE;

class hostile_test : public bench
{
protected:
	hostile_test() { start(); }

	void fill_random(std::uint64_t at, std::uint64_t bytes)
	{
		for (std::uint64_t i = 0; i < bytes; i += 8)
			host<std::uint64_t>(at + i) = random_();
	}

	/* Context 2 sees one room at va 0 and nothing else; its rings are inside. */
	user_queue create_prisoner(std::uint16_t id)
	{
		room_ = alloc(ROOM);
		EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 2)), OAC_ST_SUCCESS);
		EXPECT_EQ(map(2, 0, { { room_, ROOM } }, OAC_MAP_READ | OAC_MAP_WRITE),
			  OAC_ST_SUCCESS);
		return create_ring(id);
	}

	user_queue create_ring(std::uint16_t id)
	{
		oac_admin_cmd cmd = queue_command(id, 2, 4);
		oac_admin_queue_create &arg = cmd.arg.queue_create;
		arg.sq_va = 0;
		arg.cq_va = 0x1000;
		arg.tail_va = 0x2000;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		return { id, 16, room_, room_ + 0x1000, room_ + 0x2000, arg.progress_addr };
	}

	void destroy(std::uint16_t id)
	{
		oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_DESTROY);
		cmd.arg.queue_destroy.queue_id = id;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	}

	/* A command of a known kind with random fields, most of them small. */
	oac_cmd random_cmd()
	{
		static constexpr __u8 opcodes[] = {
#define OPCODE(name) OAC_CMD_##name,
			OAC_CMDS(OPCODE)
#undef OPCODE
		};
		oac_cmd cmd{};
		cmd.opcode = opcodes[random_() % std::size(opcodes)];
		const std::size_t words = random_() % 6;
		for (std::size_t i = 0; i < words; i++) {
			const std::uint64_t small = random_() % (ROOM + 4096);
			const std::uint64_t word = random_() % 4 ? small & ~7ull : random_();
			std::memcpy(cmd.body.bytes + i * 8, &word, 8);
		}
		if (cmd.opcode == OAC_CMD_COPY)
			cmd.body.copy.rsvd = 0;
		if (cmd.opcode == OAC_CMD_EXEC) {
			cmd.body.exec.va = (random_() % ROOM) & ~7ull;
			cmd.body.exec.size = sizeof(oac_op);
			cmd.body.exec.rsvd = 0;
			std::memset(cmd.body.bytes + 16, 0, 40);
		}
		return cmd;
	}

	oac_op random_op()
	{
		oac_op op{};
		op.header.op = static_cast<__le16>(random_() % 7);
		op.header.flags = static_cast<__le16>(random_() % 8);
		op.header.dtype = static_cast<__u8>(1 + random_() % 2);
		op.header.out_dtype = static_cast<__u8>(1 + random_() % 3);
		for (std::size_t i = 0; i < 5; i++) {
			const std::uint64_t va = (random_() % ROOM) & ~7ull;
			std::memcpy(op.body.bytes + i * 8, &va, 8);
		}
		for (std::size_t i = 40; i < 80; i += 2) {
			const std::uint16_t small = static_cast<std::uint16_t>(random_() % 4);
			std::memcpy(op.body.bytes + i, &small, 2);
		}
		if (op.header.op >= OAC_OP_RELU && random_() % 4) {
			/* near enough to a good one that some run */
			const std::uint64_t b = op.header.op == OAC_OP_ADD ? op.body.eltwise.b : 0;
			const std::uint64_t a = op.body.eltwise.a, out = op.body.eltwise.out;
			std::memset(op.body.bytes, 0, sizeof(op.body.bytes));
			op.header.flags = 0;
			op.header.out_dtype = op.header.dtype;
			if (op.header.op == OAC_OP_SOFTMAX)
				op.body.softmax = { a, out, 1 + static_cast<__le32>(random_() % 9),
						    3 };
			else
				op.body.eltwise = { a, b, out, random_() % 3000 };
		}
		return op;
	}

	std::mt19937_64 random_{ 99 };
	std::uint64_t room_ = 0;
};

TEST_F(hostile_test, RandomRingsStayInsideAndOthersGoOn)
{
	user_queue honest = create_queue(1);
	const std::uint64_t guard = alloc(16 * OAC_PAGE_SIZE);
	fill_random(guard, 16 * OAC_PAGE_SIZE);
	const std::vector<std::byte> before(host_.at(guard), host_.at(guard + 16 * OAC_PAGE_SIZE));
	create_prisoner(2);
	const std::uint64_t start = next_;
	for (int round = 0; round < 3000; round++) {
		fill_random(room_, 0x1000);
		for (std::uint32_t i = 0; round % 3 && i < 16; i++)
			array<oac_cmd>(room_)[i] = random_cmd();
		for (std::uint64_t at = 0x3000; round % 2 && at < 0x8000; at += sizeof(oac_op))
			host<oac_op>(room_ + at) = random_op();
		ring(2, static_cast<std::uint32_t>(random_() % 20));
		arm(2, static_cast<std::uint32_t>(random_()),
		    static_cast<std::uint32_t>(random_()));
		host_.now += 2000000;
		for (int i = 0; i < 6; i++)
			card_->step();
		ASSERT_EQ(run(honest, make_cmd(OAC_CMD_NOP, 5)).tag, 5u);
		destroy(2);
		next_ = start;
		create_ring(2);
	}
	EXPECT_TRUE(std::equal(before.begin(), before.end(), host_.at(guard)));
	EXPECT_EQ(progress(honest).error_count, 0u);
}

TEST_F(hostile_test, RandomOperatorsStayInside)
{
	create_prisoner(2);
	const std::uint64_t start = next_;
	std::map<unsigned, unsigned> seen;
	for (int round = 0; round < 4000; round++) {
		user_queue q = { 2, 16, room_, room_ + 0x1000, room_ + 0x2000, 0 };
		std::memset(host_.at(room_ + 0x1000), 0, 0x2000);
		oac_cmd cmd = make_cmd(OAC_CMD_EXEC);
		cmd.body.exec.va = 0x3000;
		cmd.body.exec.size = sizeof(oac_op);
		host<oac_op>(room_ + 0x3000) = random_op();
		push(q, cmd);
		ring(q);
		settle();
		seen[host<oac_completion>(room_ + 0x1000).status]++;
		destroy(2);
		next_ = start;
		create_ring(2);
	}
	EXPECT_GT(seen[OAC_ST_SUCCESS], 0u);
	EXPECT_GT(seen[OAC_ST_BAD_SHAPE], 0u);
	EXPECT_GT(seen[OAC_ST_BAD_FIELD], 0u);
	EXPECT_GT(seen[OAC_ST_BAD_DTYPE], 0u);
	EXPECT_GT(seen[OAC_ST_BAD_OP], 0u);
}

TEST_F(hostile_test, ContextsDoNotSeeEachOther)
{
	user_queue prisoner = create_prisoner(2);
	const std::uint64_t secret = alloc(OAC_PAGE_SIZE);
	host<std::uint64_t>(secret) = 0x5ec4e7;
	oac_cmd steal = make_cmd(OAC_CMD_COPY);
	steal.body.copy = { secret, 0x4000, 8, 0, 0, 1, 0 };
	EXPECT_EQ(run(prisoner, steal).status, OAC_ST_ACCESS_FAULT) << "a bus address is no va";
	EXPECT_EQ(host<std::uint64_t>(room_ + 0x4000), 0u);
	user_queue honest = create_queue(1);
	EXPECT_EQ(run(honest, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	const auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	EXPECT_EQ(events.back().code, OAC_EVENT_ACCESS_FAULT);
	EXPECT_EQ(events.back().context, 2u);
	EXPECT_EQ(events.back().arg, secret);
}

TEST_F(hostile_test, EndlessCommandsAreCutAndCanBeDestroyed)
{
	user_queue prisoner = create_prisoner(2), honest = create_queue(1);
	oac_cmd rows = make_cmd(OAC_CMD_COPY);
	rows.body.copy = { 0x4000, 0x5000, 1, 0, 0, UINT32_MAX, 0 };
	push(prisoner, rows);
	ring(prisoner);
	for (int i = 0; i < 50; i++) {
		EXPECT_TRUE(card_->step());
		push(honest, make_cmd(OAC_CMD_NOP));
		ring(honest);
		EXPECT_TRUE(card_->step());
		EXPECT_TRUE(card_->step());
		ASSERT_TRUE(reap(honest));
	}
	EXPECT_FALSE(reap(prisoner));
	oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_DESTROY);
	cmd.arg.queue_destroy.queue_id = 2;
	EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
}

TEST_F(hostile_test, RandomRegisterAndConfigTrafficIsSurvived)
{
	for (int round = 0; round < 20000; round++) {
		std::array<std::byte, 8> bytes;
		const std::uint64_t word = random_();
		std::memcpy(bytes.data(), &word, 8);
		const std::size_t size = 1ull << random_() % 4;
		const std::uint64_t offset = random_() % (round % 2 ? 0x90 : 0x11000);
		const unsigned bar = static_cast<unsigned>(random_() % 7);
		if (random_() % 2)
			card_->bar_write(bar, offset, std::span(bytes).first(size));
		else
			card_->bar_read(bar, offset, std::span(bytes).first(size));
		if (round % 8 == 0)
			card_->config_write(random_() % 5000, std::span(bytes).first(size));
		card_->step();
	}
	card_->reset(reset_kind::bus);
	boot();
}

} // namespace
} // namespace oac::emu::test
