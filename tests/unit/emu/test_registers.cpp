// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// BAR0 and the other BARs: every register answers as the list says, everything else is refused.
#include <map>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

using register_test = bench;

struct listed {
	const char *name;
	std::uint64_t offset;
	std::string access;
};

const std::vector<listed> LIST = {
#define ROW(name, access) { #name, OAC_REG_##name, #access },
	OAC_REGS(ROW)
#undef ROW
};

TEST_F(register_test, EveryListedRegisterObeysItsAccess)
{
	for (const listed &each : LIST) {
		std::uint32_t value = 0;
		const auto to = std::as_writable_bytes(std::span(&value, 1));
		EXPECT_EQ(card_->bar_read(OAC_BAR_REGS, each.offset, to), each.access != "WO")
			<< each.name;
		EXPECT_NE(value, OAC_REG_ALL_ONES) << each.name;
		if (each.access == "RO") {
			EXPECT_FALSE(set_reg(each.offset, 0)) << each.name;
		}
	}
	for (const std::uint64_t offset :
	     { OAC_REG_BOOT_ADDR_LO, OAC_REG_BOOT_ADDR_HI, OAC_REG_BOOT_SIZE, OAC_REG_ADMIN_SQ_LO,
	       OAC_REG_ADMIN_SQ_HI, OAC_REG_ADMIN_CQ_LO, OAC_REG_ADMIN_CQ_HI }) {
		EXPECT_TRUE(set_reg(offset, 0x5000));
		EXPECT_EQ(reg(offset), 0x5000u);
	}
}

TEST_F(register_test, WhatIsNotListedDoesNotExist)
{
	std::map<std::uint64_t, bool> known;
	for (const listed &each : LIST)
		known[each.offset] = true;
	for (std::uint64_t offset = 0; offset < 0x9000; offset += 4) {
		std::uint32_t value;
		const bool msix = offset >= OAC_MSIX_TABLE_OFFSET &&
				  offset < OAC_MSIX_TABLE_OFFSET + 64 * 16;
		if (known.count(offset) || msix)
			continue;
		ASSERT_FALSE(card_->bar_read(OAC_BAR_REGS, offset,
					     std::as_writable_bytes(std::span(&value, 1))))
			<< offset;
		ASSERT_FALSE(set_reg(offset, 0)) << offset;
	}
}

TEST_F(register_test, OnlyAlignedWordsAreLegal)
{
	std::byte bytes[16];
	for (const std::size_t width : { 1, 2, 3, 8, 16 }) {
		EXPECT_FALSE(card_->bar_read(OAC_BAR_REGS, OAC_REG_ID, std::span(bytes, width)));
		EXPECT_FALSE(
			card_->bar_write(OAC_BAR_REGS, OAC_REG_BOOT_SIZE, std::span(bytes, width)));
	}
	EXPECT_FALSE(card_->bar_read(OAC_BAR_REGS, OAC_REG_ID + 2, std::span(bytes, 4)));
	EXPECT_FALSE(card_->bar_read(1, 0, std::span(bytes, 4)));
	EXPECT_FALSE(card_->bar_write(5, 0, std::span(bytes, 4)));
	EXPECT_FALSE(card_->bar_read(OAC_BAR_REGS, UINT64_MAX, std::span(bytes, 4)));
}

TEST_F(register_test, MsixTableIsStorageAndStartsMasked)
{
	EXPECT_EQ(reg(OAC_MSIX_TABLE_OFFSET + 12), 1u);
	EXPECT_TRUE(set_reg(OAC_MSIX_TABLE_OFFSET + 63 * 16 + 8, 0xabcd));
	EXPECT_EQ(reg(OAC_MSIX_TABLE_OFFSET + 63 * 16 + 8), 0xabcdu);
	EXPECT_EQ(reg(OAC_MSIX_PBA_OFFSET), 0u);
	EXPECT_FALSE(set_reg(OAC_MSIX_TABLE_OFFSET + 64 * 16, 0));
	EXPECT_FALSE(set_reg(OAC_MSIX_PBA_OFFSET + 8, 0));
}

TEST_F(register_test, IdentityAndCapabilities)
{
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(reg(OAC_REG_CAP),
		  16u | OAC_CAP_DOORBELL_SHARED_MASK | OAC_CAP_DOORBELL_ISOLATED_MASK);
	EXPECT_EQ(reg(OAC_REG_LMEM_SIZE_LO), 16 * MIB);
	EXPECT_EQ(reg(OAC_REG_PROTOCOL), 0x00010000u);
	card_config trapped;
	trapped.shared_doorbells = false;
	power_up(trapped);
	EXPECT_EQ(reg(OAC_REG_CAP), 16u | OAC_CAP_DOORBELL_ISOLATED_MASK);
	trapped.isolated_doorbells = false;
	power_up(trapped);
	EXPECT_EQ(reg(OAC_REG_CAP), 16u);
}

TEST_F(register_test, HeartbeatMovesOnlyWhileRunning)
{
	EXPECT_EQ(reg(OAC_REG_HEARTBEAT), 0u);
	boot();
	const std::uint32_t before = reg(OAC_REG_HEARTBEAT);
	host_.now += 2000000;
	EXPECT_NE(reg(OAC_REG_HEARTBEAT), before);
	EXPECT_EQ(reg(OAC_REG_PROTOCOL), 0x00010007u);
}

TEST_F(register_test, ClockLatchesItsHighHalf)
{
	host_.tick = 0;
	host_.now = 0x5fffffff0;
	const std::uint32_t low = reg(OAC_REG_CLOCK_LO);
	host_.now = 0x600000010;
	EXPECT_EQ(low, 0xfffffff0u);
	EXPECT_EQ(reg(OAC_REG_CLOCK_HI), 5u);
	EXPECT_EQ(reg(OAC_REG_CLOCK_LO), 0x10u);
	EXPECT_EQ(reg(OAC_REG_CLOCK_HI), 6u);
	host_.now = 0x6ffffffff;
	EXPECT_NE(reg(OAC_REG_CLOCK_LO), OAC_REG_ALL_ONES);
}

TEST_F(register_test, ResetTakesTheMagicOnly)
{
	boot();
	EXPECT_FALSE(set_reg(OAC_REG_RESET, 1));
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_RUNNING));
	EXPECT_TRUE(set_reg(OAC_REG_RESET, OAC_RESET_MAGIC));
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_ROM));
	EXPECT_EQ(reg(OAC_REG_POST_CODE), static_cast<unsigned>(OAC_POST_RESET));
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), 1u);
	EXPECT_EQ(reg(OAC_REG_BOOT_SIZE), 0u);
	EXPECT_EQ(reg(OAC_REG_SECURITY_VERSION), 3u) << "fuses stay";
	card_->reset(reset_kind::power);
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), 0u);
}

TEST_F(register_test, AdminRegistersAreGuarded)
{
	EXPECT_FALSE(set_reg(OAC_REG_ADMIN_CONTROL, 1)) << "no firmware";
	boot();
	EXPECT_FALSE(set_reg(OAC_REG_ADMIN_SQ_LO, 0x123)) << "not page aligned";
	for (const std::uint32_t depth : { 0u, 1u, 3u, 65u, 128u })
		EXPECT_FALSE(set_reg(OAC_REG_ADMIN_DEPTH, depth)) << depth;
	EXPECT_FALSE(set_reg(OAC_REG_ADMIN_CONTROL, 2));
	enable_admin();
	EXPECT_EQ(reg(OAC_REG_ADMIN_CONTROL), 1u);
	EXPECT_FALSE(set_reg(OAC_REG_ADMIN_DEPTH, 4)) << "in use";
	EXPECT_FALSE(set_reg(OAC_REG_ADMIN_CQ_LO, 0x1000)) << "in use";
}

TEST_F(register_test, LocalMemoryIsBar2AndScrubbedByReset)
{
	const std::vector<std::byte> data(100, std::byte{ 0x42 });
	std::vector<std::byte> back(100);
	EXPECT_TRUE(card_->bar_write(OAC_BAR_LMEM, 12345, data));
	EXPECT_TRUE(card_->bar_read(OAC_BAR_LMEM, 12345, back));
	EXPECT_EQ(back, data);
	EXPECT_FALSE(card_->bar_write(OAC_BAR_LMEM, 16 * MIB - 50, data));
	EXPECT_FALSE(card_->bar_read(OAC_BAR_LMEM, UINT64_MAX - 20, back));
	card_->reset(reset_kind::bus);
	EXPECT_TRUE(card_->bar_read(OAC_BAR_LMEM, 12345, back));
	EXPECT_EQ(back, std::vector<std::byte>(100));
	EXPECT_EQ(card_->bar_backing(OAC_BAR_LMEM)->size, 16 * MIB);
	EXPECT_FALSE(card_->bar_backing(OAC_BAR_REGS));
}

TEST_F(register_test, TrappedDoorbellsCannotBeMapped)
{
	EXPECT_TRUE(card_->bar_backing(OAC_BAR_DOORBELL));
	card_config trapped;
	trapped.shared_doorbells = false;
	power_up(trapped);
	EXPECT_FALSE(card_->bar_backing(OAC_BAR_DOORBELL))
		<< "a mapped store would not reach the card";
	EXPECT_FALSE(reg(OAC_REG_CAP) & OAC_CAP_DOORBELL_SHARED_MASK);
}

TEST_F(register_test, DoorbellPagesTakeOnlyTheirWords)
{
	const std::vector<std::byte> word(4), two(8);
	EXPECT_TRUE(card_->bar_write(OAC_BAR_DOORBELL, 0x3000, word));
	EXPECT_TRUE(card_->bar_write(OAC_BAR_DOORBELL, 0x3008, two));
	EXPECT_FALSE(card_->bar_write(OAC_BAR_DOORBELL, 0x3000, two));
	EXPECT_FALSE(card_->bar_write(OAC_BAR_DOORBELL, 0x3008, word));
	EXPECT_FALSE(card_->bar_write(OAC_BAR_DOORBELL, 0x3010, word));
	EXPECT_FALSE(card_->bar_write(OAC_BAR_DOORBELL, 16 * 4096, word));
}

} // namespace
} // namespace oac::emu::test
