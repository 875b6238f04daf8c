// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See bench.hpp.
#include "bench.hpp"

#include <algorithm>
#include <cstring>

namespace oac::emu::test
{

void bench::power_up(card_config config)
{
	config.trusted_key = firmware_builder::public_key();
	config.serial = 0x1122334455667788;
	config.lmem_size = 16 * MIB;
	config.doorbell_pages = 16;
	card_ = std::make_unique<card>(config, host_);
	next_ = fake_host::BASE;
	admin_count_ = 0;
}

void bench::settle(unsigned limit)
{
	card_->tick();
	while (card_->step())
		ASSERT_NE(limit--, 0u) << "the card does not come to rest";
}

std::uint64_t bench::alloc(std::uint64_t size)
{
	const std::uint64_t addr = next_;

	next_ += (size + OAC_PAGE_SIZE - 1) / OAC_PAGE_SIZE * OAC_PAGE_SIZE;
	EXPECT_LE(next_, fake_host::BASE + fake_host::SIZE);
	std::memset(host_.at(addr), 0, next_ - addr);
	return addr;
}

std::uint32_t bench::reg(std::uint64_t offset)
{
	std::uint32_t value = 0;

	EXPECT_TRUE(card_->bar_read(OAC_BAR_REGS, offset,
				    std::as_writable_bytes(std::span(&value, 1))));
	return value;
}

bool bench::set_reg(std::uint64_t offset, std::uint32_t value)
{
	return card_->bar_write(OAC_BAR_REGS, offset, std::as_bytes(std::span(&value, 1)));
}

std::uint32_t bench::boot(const std::vector<std::byte> &image)
{
	const std::uint64_t at = alloc(image.size());

	std::memcpy(host_.at(at), image.data(), image.size());
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_ADDR_LO, static_cast<std::uint32_t>(at)));
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_ADDR_HI, static_cast<std::uint32_t>(at >> 32)));
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_SIZE, static_cast<std::uint32_t>(image.size())));
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST));
	settle();
	return reg(OAC_REG_STATUS) & OAC_STATUS_STATE_MASK;
}

void bench::enable_admin(std::uint32_t depth)
{
	admin_depth_ = depth;
	admin_count_ = 0;
	admin_sq_ = alloc(depth * sizeof(oac_admin_cmd));
	admin_cq_ = alloc(depth * sizeof(oac_completion));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_SQ_LO, static_cast<std::uint32_t>(admin_sq_)));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_SQ_HI, static_cast<std::uint32_t>(admin_sq_ >> 32)));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_CQ_LO, static_cast<std::uint32_t>(admin_cq_)));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_CQ_HI, static_cast<std::uint32_t>(admin_cq_ >> 32)));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_DEPTH, depth));
	EXPECT_TRUE(set_reg(OAC_REG_ADMIN_CONTROL, OAC_ADMIN_CONTROL_ENABLE_MASK));
}

oac_admin_cmd bench::command(unsigned opcode, std::uint32_t context)
{
	oac_admin_cmd cmd{};

	cmd.opcode = static_cast<__u8>(opcode);
	cmd.context = context;
	return cmd;
}

oac_completion bench::admin(oac_admin_cmd cmd)
{
	const std::uint32_t slot = admin_count_ % admin_depth_;
	const unsigned before = host_.interrupts[OAC_MSIX_ADMIN_VECTOR];

	cmd.cid = static_cast<__le16>(admin_count_ ^ 0x5a5a);
	array<oac_admin_cmd>(admin_sq_)[slot] = cmd;
	ring(0, ++admin_count_);
	settle();
	const oac_completion done = array<oac_completion>(admin_cq_)[slot];
	EXPECT_EQ(done.tag, cmd.cid);
	EXPECT_EQ(done.phase, ((admin_count_ - 1) / admin_depth_ + 1) % 2);
	/* one for the answer, and perhaps one that tells of an event */
	EXPECT_GE(host_.interrupts[OAC_MSIX_ADMIN_VECTOR], before + 1);
	EXPECT_LE(host_.interrupts[OAC_MSIX_ADMIN_VECTOR], before + 2);
	return done;
}

oac_admin_cmd bench::map_command(std::uint32_t context, std::uint64_t va,
				 const std::vector<oac_segment> &segments, std::uint32_t flags)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_MAP, context);

	cmd.data_size = static_cast<std::uint32_t>(segments.size() * sizeof(oac_segment));
	cmd.data_addr = alloc(cmd.data_size + 1);
	std::copy(segments.begin(), segments.end(), array<oac_segment>(cmd.data_addr));
	cmd.arg.map.va = va;
	cmd.arg.map.segment_count = static_cast<std::uint32_t>(segments.size());
	cmd.arg.map.flags = flags;
	return cmd;
}

std::uint16_t bench::map(std::uint32_t context, std::uint64_t va,
			 const std::vector<oac_segment> &segments, std::uint32_t flags)
{
	return status_of(map_command(context, va, segments, flags));
}

std::uint16_t bench::unmap(std::uint32_t context, std::uint64_t va, std::uint64_t length)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_UNMAP, context);

	cmd.arg.unmap.va = va;
	cmd.arg.unmap.length = length;
	return status_of(cmd);
}

void bench::start()
{
	boot();
	enable_admin();
	ASSERT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 1)), OAC_ST_SUCCESS);
	ASSERT_EQ(map(1, fake_host::BASE, { { fake_host::BASE, fake_host::SIZE } },
		      OAC_MAP_READ | OAC_MAP_WRITE),
		  OAC_ST_SUCCESS);
}

oac_admin_cmd bench::queue_command(std::uint16_t id, std::uint32_t context, unsigned depth_log2)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_CREATE, context);
	oac_admin_queue_create &arg = cmd.arg.queue_create;

	arg.sq_va = alloc(sizeof(oac_cmd) << depth_log2);
	arg.cq_va = alloc(sizeof(oac_completion) << depth_log2);
	arg.tail_va = alloc(sizeof(oac_cq_tail));
	arg.progress_addr = alloc(sizeof(oac_progress));
	arg.queue_id = id;
	arg.vector = id;
	arg.depth_log2 = static_cast<__u8>(depth_log2);
	arg.priority = OAC_PRIORITY_NORMAL;
	return cmd;
}

user_queue bench::create_queue(std::uint16_t id, std::uint32_t context, unsigned depth_log2,
			       std::uint8_t priority)
{
	oac_admin_cmd cmd = queue_command(id, context, depth_log2);
	const oac_admin_queue_create &arg = cmd.arg.queue_create;

	cmd.arg.queue_create.priority = priority;
	EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	return { id, 1u << depth_log2, arg.sq_va, arg.cq_va, arg.tail_va, arg.progress_addr };
}

std::uint64_t bench::counter(unsigned id)
{
	const auto all = get_log<oac_counter>(OAC_LOG_COUNTERS);
	const auto found = std::find_if(all.begin(), all.end(),
					[&](const oac_counter &c) { return c.id == id; });

	EXPECT_NE(found, all.end());
	return found->value;
}

std::vector<std::uint16_t> bench::event_codes()
{
	std::vector<std::uint16_t> codes;

	for (const oac_event &event : get_log<oac_event>(OAC_LOG_EVENTS))
		codes.push_back(event.code);
	return codes;
}

void bench::push(user_queue &q, const oac_cmd &cmd)
{
	array<oac_cmd>(q.sq)[q.written++ & (q.depth - 1)] = cmd;
}

void bench::ring(unsigned id, std::uint32_t tail)
{
	EXPECT_TRUE(card_->bar_write(OAC_BAR_DOORBELL, id * OAC_DB_PAGE_SIZE + OAC_DB_SQ_TAIL,
				     std::as_bytes(std::span(&tail, 1))));
}

void bench::arm(unsigned id, std::uint32_t sequence, std::uint32_t seen)
{
	const std::uint64_t word = std::uint64_t{ sequence } << OAC_DB_ARM_SEQ_SHIFT | seen;

	EXPECT_TRUE(card_->bar_write(OAC_BAR_DOORBELL, id * OAC_DB_PAGE_SIZE + OAC_DB_ARM,
				     std::as_bytes(std::span(&word, 1))));
}

std::optional<oac_completion> bench::reap(user_queue &q)
{
	if (host<oac_cq_tail>(q.tail).tail == q.reaped)
		return std::nullopt;
	const oac_completion done = array<oac_completion>(q.cq)[q.reaped & (q.depth - 1)];
	EXPECT_EQ(done.phase, (q.reaped / q.depth + 1) % 2);
	q.reaped++;
	return done;
}

oac_completion bench::run(user_queue &q, const oac_cmd &cmd)
{
	push(q, cmd);
	ring(q);
	settle();
	const std::optional<oac_completion> done = reap(q);
	EXPECT_TRUE(done) << "no completion";
	return done.value_or(oac_completion{});
}

oac_completion bench::exec(user_queue &q, const oac_op &op)
{
	const std::uint64_t at = alloc(sizeof(op));
	oac_cmd cmd = make_cmd(OAC_CMD_EXEC);

	host<oac_op>(at) = op;
	cmd.body.exec.va = at;
	cmd.body.exec.size = sizeof(op);
	return run(q, cmd);
}

oac_cmd make_cmd(unsigned opcode, std::uint32_t tag)
{
	oac_cmd cmd{};

	cmd.opcode = static_cast<__u8>(opcode);
	cmd.tag = tag;
	return cmd;
}

} // namespace oac::emu::test
