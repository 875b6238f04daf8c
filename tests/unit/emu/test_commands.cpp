// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// COPY, FILL, SIGNAL, WAIT, TIMESTAMP: effects, checks, faults, on every kind of memory.
#include <random>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint64_t LOCAL = 1ull << 40; /* va of local memory */

class command_test : public bench
{
protected:
	command_test()
	{
		start();
		EXPECT_EQ(map(1, LOCAL, { { 0, 16 * MIB } },
			      OAC_MAP_READ | OAC_MAP_WRITE | OAC_MAP_LOCAL),
			  OAC_ST_SUCCESS);
		q_ = create_queue(1);
		data_ = alloc(16 * MIB);
		std::mt19937_64 random{ 3 };
		for (std::uint64_t i = 0; i < 2 * MIB; i++)
			array<std::uint64_t>(data_)[i] = random();
	}

	/* Every failing command needs a new queue: errors are sticky. */
	std::uint16_t fails(const oac_cmd &cmd, std::uint64_t *info = nullptr)
	{
		user_queue q = create_queue(next_id_++);
		const oac_completion done = run(q, cmd);
		if (info)
			*info = done.info;
		return done.status;
	}

	oac_cmd copy_cmd(std::uint64_t dst, std::uint64_t src, std::uint64_t bytes)
	{
		oac_cmd cmd = make_cmd(OAC_CMD_COPY);
		cmd.body.copy.src = src;
		cmd.body.copy.dst = dst;
		cmd.body.copy.row_bytes = bytes;
		cmd.body.copy.rows = 1;
		return cmd;
	}

	oac_cmd fill_cmd(std::uint64_t dst, std::uint64_t bytes, std::uint32_t size)
	{
		oac_cmd cmd = make_cmd(OAC_CMD_FILL);
		cmd.body.fill = { dst, bytes, 0x8877665544332211, size, 0 };
		return cmd;
	}

	oac_cmd timeline(unsigned opcode, std::uint64_t va, std::uint64_t value)
	{
		oac_cmd cmd = make_cmd(opcode);
		cmd.body.timeline = { va, value };
		return cmd;
	}

	user_queue q_;
	std::uint16_t next_id_ = 2;
	std::uint64_t data_;
};

TEST_F(command_test, CopyGoesThereAndBack)
{
	const std::uint64_t back = alloc(16 * MIB);
	const std::uint64_t bytes = 5 * MIB + 13;
	EXPECT_EQ(run(q_, copy_cmd(LOCAL + 7, data_ + 3, bytes)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, copy_cmd(back + 1, LOCAL + 7, bytes)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(std::memcmp(host_.at(back + 1), host_.at(data_ + 3), bytes), 0);
	EXPECT_EQ(counter(OAC_COUNTER_BYTES_FROM_HOST), bytes);
	EXPECT_EQ(counter(OAC_COUNTER_BYTES_TO_HOST), bytes);
	host_.windows = false;
	std::memset(host_.at(back), 0, bytes);
	EXPECT_EQ(run(q_, copy_cmd(back, data_, bytes)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(std::memcmp(host_.at(back), host_.at(data_), bytes), 0);
}

TEST_F(command_test, CopyOfRows)
{
	oac_cmd cmd = copy_cmd(LOCAL, data_, 10);
	cmd.body.copy.rows = 1000;
	cmd.body.copy.src_pitch = 100;
	cmd.body.copy.dst_pitch = 10;
	EXPECT_EQ(run(q_, cmd).status, OAC_ST_SUCCESS);
	std::vector<std::byte> got(10000);
	EXPECT_TRUE(card_->bar_read(OAC_BAR_LMEM, 0, got));
	for (std::size_t row = 0; row < 1000; row++)
		ASSERT_EQ(std::memcmp(&got[row * 10], host_.at(data_ + row * 100), 10), 0);
	cmd.body.copy.rows = 1;
	cmd.body.copy.src_pitch = UINT64_MAX;
	EXPECT_EQ(run(q_, cmd).status, OAC_ST_SUCCESS) << "pitch is ignored for one row";
}

TEST_F(command_test, EmptyCopyAndFillAreLegalSkips)
{
	EXPECT_EQ(run(q_, copy_cmd(1, 2, 0)).status, OAC_ST_SUCCESS);
	oac_cmd cmd = copy_cmd(1, 2, 5);
	cmd.body.copy.rows = 0;
	EXPECT_EQ(run(q_, cmd).status, OAC_ST_SUCCESS);
	cmd.body.copy.rows = UINT32_MAX;
	cmd.body.copy.row_bytes = 0;
	EXPECT_EQ(run(q_, cmd).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, fill_cmd(8, 0, 8)).status, OAC_ST_SUCCESS);
}

TEST_F(command_test, CopyFaults)
{
	std::uint64_t info = 0;
	EXPECT_EQ(fails(copy_cmd(LOCAL, 0x1000, 8), &info), OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(info, 0x1000u);
	EXPECT_EQ(fails(copy_cmd(LOCAL + 16 * MIB - 4, data_, 8), &info), OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(info, LOCAL + 16 * MIB) << "the first byte that is not there";
	EXPECT_EQ(fails(copy_cmd(UINT64_MAX - 3, data_, 8), &info), OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(fails(copy_cmd(LOCAL, UINT64_MAX - 3, UINT64_MAX), &info), OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(map(1, 0, { { 0, 4096 } }, OAC_MAP_LOCAL | OAC_MAP_READ), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 4096, { { 0, 4096 } }, OAC_MAP_LOCAL | OAC_MAP_WRITE), OAC_ST_SUCCESS);
	EXPECT_EQ(fails(copy_cmd(10, data_, 8), &info), OAC_ST_ACCESS_RIGHTS);
	EXPECT_EQ(info, 10u);
	EXPECT_EQ(fails(copy_cmd(LOCAL, 4090, 8), &info), OAC_ST_ACCESS_RIGHTS);
	EXPECT_EQ(info, 4096u);
	EXPECT_EQ(map(1, MIB, { { 0x10000, 4096 } }, OAC_MAP_READ), OAC_ST_SUCCESS);
	EXPECT_EQ(fails(copy_cmd(LOCAL, MIB, 8)), OAC_ST_DMA_ERROR);
	oac_cmd cmd = copy_cmd(LOCAL, data_, 8);
	cmd.body.copy.rsvd = 1;
	EXPECT_EQ(fails(cmd), OAC_ST_BAD_FIELD);
	EXPECT_EQ(counter(OAC_COUNTER_ACCESS_FAULTS), 6u);
}

TEST_F(command_test, FillRepeatsItsPattern)
{
	for (const std::uint32_t size : { 1u, 2u, 4u, 8u }) {
		const std::uint64_t bytes = 2 * MIB + 24;
		std::memset(host_.at(data_), 0, bytes + 8);
		EXPECT_EQ(run(q_, fill_cmd(data_, bytes, size)).status, OAC_ST_SUCCESS);
		for (std::uint64_t i = 0; i < bytes; i++)
			ASSERT_EQ(host<std::uint8_t>(data_ + i), 0x11 * (1 + i % size));
		EXPECT_EQ(host<std::uint64_t>(data_ + bytes), 0u);
	}
	host_.windows = false;
	EXPECT_EQ(run(q_, fill_cmd(data_ + 8, 10000, 8)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(host<std::uint64_t>(data_ + 10000), 0x8877665544332211u);
}

TEST_F(command_test, FillChecks)
{
	EXPECT_EQ(fails(fill_cmd(data_, 8, 0)), OAC_ST_BAD_FIELD);
	EXPECT_EQ(fails(fill_cmd(data_, 8, 3)), OAC_ST_BAD_FIELD);
	EXPECT_EQ(fails(fill_cmd(data_, 9, 2)), OAC_ST_BAD_FIELD);
	EXPECT_EQ(fails(fill_cmd(data_ + 2, 8, 4)), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(fails(fill_cmd(0x1000, 8, 4)), OAC_ST_ACCESS_FAULT);
	oac_cmd cmd = fill_cmd(data_, 8, 8);
	cmd.body.fill.rsvd = 1;
	EXPECT_EQ(fails(cmd), OAC_ST_BAD_FIELD);
}

TEST_F(command_test, SignalReleasesAWaitOfAnotherQueue)
{
	user_queue other = create_queue(2);
	const std::uint64_t word = alloc(8);
	push(q_, timeline(OAC_CMD_WAIT, word, 5));
	push(q_, make_cmd(OAC_CMD_NOP, 123));
	ring(q_);
	settle();
	EXPECT_FALSE(reap(q_));
	EXPECT_EQ(run(other, timeline(OAC_CMD_SIGNAL, word, 4)).status, OAC_ST_SUCCESS);
	EXPECT_FALSE(reap(q_)) << "4 < 5";
	EXPECT_EQ(run(other, timeline(OAC_CMD_SIGNAL, word, 6)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(host<std::uint64_t>(word), 6u);
	EXPECT_EQ(reap(q_)->status, OAC_ST_SUCCESS);
	EXPECT_EQ(reap(q_)->tag, 123u);
}

TEST_F(command_test, WaitPollsForTheHostWithGrowingPauses)
{
	host_.tick = 0;
	const std::uint64_t word = alloc(8);
	push(q_, timeline(OAC_CMD_WAIT, word, 1));
	ring(q_);
	settle();
	std::uint64_t last = 0;
	for (int i = 0; i < 8; i++) {
		const auto next = card_->next_event_ns();
		ASSERT_TRUE(next);
		const std::uint64_t pause = *next - host_.now;
		EXPECT_GE(pause, last);
		EXPECT_LE(pause, 1000000u);
		last = pause;
		EXPECT_FALSE(card_->step()) << "not yet";
		host_.now = *next;
		EXPECT_TRUE(card_->step());
		settle();
	}
	EXPECT_EQ(last, 1000000u);
	host<std::uint64_t>(word) = 1;
	host_.now += 1000000;
	settle();
	EXPECT_EQ(reap(q_)->status, OAC_ST_SUCCESS);
}

TEST_F(command_test, TimelineChecks)
{
	EXPECT_EQ(fails(timeline(OAC_CMD_SIGNAL, data_ + 4, 1)), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(fails(timeline(OAC_CMD_WAIT, data_ + 4, 1)), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(fails(timeline(OAC_CMD_SIGNAL, 0x1000, 1)), OAC_ST_ACCESS_FAULT);
	EXPECT_EQ(fails(timeline(OAC_CMD_WAIT, 0x1000, 1)), OAC_ST_ACCESS_FAULT);
	host_.windows = false;
	EXPECT_EQ(run(q_, timeline(OAC_CMD_SIGNAL, data_, 42)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, timeline(OAC_CMD_WAIT, data_, 42)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(host<std::uint64_t>(data_), 42u);
}

TEST_F(command_test, TimestampIsCardTime)
{
	oac_cmd cmd = make_cmd(OAC_CMD_TIMESTAMP);
	const std::uint64_t before = host_.now;
	EXPECT_GE(run(q_, cmd).info, before);
	cmd.body.timestamp.va = data_;
	const oac_completion done = run(q_, cmd);
	EXPECT_EQ(host<std::uint64_t>(data_), done.info);
	EXPECT_LE(done.info, host_.now);
	cmd.body.timestamp.va = data_ + 1;
	EXPECT_EQ(fails(cmd), OAC_ST_BAD_ALIGNMENT);
	cmd.body.timestamp.va = 0x1000;
	EXPECT_EQ(fails(cmd), OAC_ST_ACCESS_FAULT);
}

TEST_F(command_test, TimeIsToldForCopiesButNotMeasuredForSmallCommands)
{
	host_.tick = 1000;
	EXPECT_EQ(run(q_, copy_cmd(data_ + 8 * MIB, data_, 4 * MIB)).status, OAC_ST_SUCCESS);
	const std::uint64_t long_copy = progress(q_).copy_ns;
	EXPECT_GE(long_copy, 4000u) << "a slice of 1 MiB at a time";
	EXPECT_EQ(run(q_, fill_cmd(data_, 64, 8)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(progress(q_).copy_ns, long_copy + 1000);
	EXPECT_EQ(progress(q_).compute_ns, 0u);

	/* eight copies in a batch: two looks at the clock */
	for (int i = 0; i < 8; i++)
		push(q_, copy_cmd(data_, data_ + 64, 64));
	ring(q_);
	settle();
	EXPECT_EQ(progress(q_).copy_ns, long_copy + 2000);

	user_queue nops = create_queue(2, 1, 7);
	const auto looks_for = [&](unsigned count) {
		const std::uint64_t before = host_.now;
		for (unsigned i = 0; i < count; i++)
			push(nops, make_cmd(OAC_CMD_NOP));
		ring(nops);
		settle();
		while (reap(nops))
			;
		return host_.now - before;
	};
	EXPECT_EQ(looks_for(1), looks_for(100));
	EXPECT_EQ(progress(nops).copy_ns + progress(nops).compute_ns, 0u);
}

TEST_F(command_test, FirmwareDecidesWhichCommandsThereAre)
{
	card_->reset(reset_kind::bus);
	firmware_builder builder;
	builder.manifest.cmd_mask[0] &= ~(1ull << OAC_CMD_FILL);
	ASSERT_EQ(boot(builder.build()), static_cast<unsigned>(OAC_STATE_RUNNING));
	enable_admin();
	ASSERT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 1)), OAC_ST_SUCCESS);
	ASSERT_EQ(map(1, fake_host::BASE, { { fake_host::BASE, fake_host::SIZE } }, 3),
		  OAC_ST_SUCCESS);
	q_ = create_queue(1);
	EXPECT_EQ(run(q_, copy_cmd(data_, data_ + 64, 8)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, fill_cmd(data_, 8, 8)).status, OAC_ST_BAD_OPCODE);
}

} // namespace
} // namespace oac::emu::test
