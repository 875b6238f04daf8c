// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Configuration space: identity, capability walk, BAR sizing, write masks, FLR, AER.
#include <set>

#include <linux/pci_regs.h>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

class config_test : public bench
{
protected:
	template <typename Word>
	Word get(std::uint64_t offset)
	{
		Word value{};
		EXPECT_TRUE(
			card_->config_read(offset, std::as_writable_bytes(std::span(&value, 1))));
		return value;
	}

	template <typename Word>
	void set(std::uint64_t offset, Word value)
	{
		EXPECT_TRUE(card_->config_write(offset, std::as_bytes(std::span(&value, 1))));
	}

	unsigned find(unsigned id)
	{
		for (unsigned at = get<__u8>(PCI_CAPABILITY_LIST); at; at = get<__u8>(at + 1)) {
			if (get<__u8>(at) == id)
				return at;
		}
		ADD_FAILURE() << "no capability " << id;
		return 0;
	}

	unsigned find_extended(unsigned id)
	{
		for (unsigned at = 0x100; at; at = get<__u32>(at) >> 20) {
			if ((get<__u32>(at) & 0xffff) == id)
				return at;
		}
		ADD_FAILURE() << "no extended capability " << id;
		return 0;
	}
};

TEST_F(config_test, SaysWhatItIs)
{
	EXPECT_EQ(get<__u16>(PCI_VENDOR_ID), OAC_PCI_VENDOR_ID);
	EXPECT_EQ(get<__u16>(PCI_DEVICE_ID), OAC_PCI_DEVICE_ID);
	EXPECT_EQ(get<__u32>(PCI_CLASS_REVISION) >> 8, static_cast<unsigned>(OAC_PCI_CLASS));
	EXPECT_EQ(get<__u8>(PCI_HEADER_TYPE), 0);
	EXPECT_EQ(get<__u8>(PCI_INTERRUPT_PIN), 0);
	EXPECT_TRUE(get<__u16>(PCI_STATUS) & PCI_STATUS_CAP_LIST);
}

TEST_F(config_test, CapabilitiesAreThereAndInside)
{
	std::set<unsigned> seen;
	for (unsigned at = get<__u8>(PCI_CAPABILITY_LIST); at; at = get<__u8>(at + 1)) {
		EXPECT_GE(at, 0x40u);
		EXPECT_EQ(at % 4, 0u);
		ASSERT_TRUE(seen.insert(at).second) << "the list is a loop";
	}
	EXPECT_EQ(seen.size(), 3u);
	const unsigned msix = find(PCI_CAP_ID_MSIX), pcie = find(PCI_CAP_ID_EXP);
	EXPECT_EQ(get<__u16>(msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE, OAC_MSIX_VECTORS - 1);
	EXPECT_EQ(get<__u32>(msix + PCI_MSIX_TABLE), OAC_MSIX_TABLE_OFFSET | OAC_BAR_REGS);
	EXPECT_EQ(get<__u32>(msix + PCI_MSIX_PBA), OAC_MSIX_PBA_OFFSET | OAC_BAR_REGS);
	EXPECT_EQ(get<__u16>(pcie + PCI_EXP_FLAGS), 2);
	EXPECT_TRUE(get<__u32>(pcie + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR);
	EXPECT_EQ(get<__u16>(pcie + PCI_EXP_DEVCTL), 0x281f);
	EXPECT_EQ(get<__u32>(pcie + PCI_EXP_LNKCAP) & 0x3ff, 0x43u);
	EXPECT_EQ(get<__u16>(pcie + PCI_EXP_LNKSTA) & 0x3ff, 0x43);
	const unsigned dsn = find_extended(PCI_EXT_CAP_ID_DSN);
	EXPECT_EQ(get<__u64>(dsn + 4), 0x1122334455667788u);
	EXPECT_EQ(reg(OAC_REG_SERIAL_LO), get<__u32>(dsn + 4));
	EXPECT_EQ(reg(OAC_REG_SERIAL_HI), get<__u32>(dsn + 8));
}

TEST_F(config_test, VectorTableIsAsLongAsTheBoardSays)
{
	card_config config;
	for (const unsigned vectors : { 1u, 3u, unsigned{ OAC_MSIX_VECTORS } }) {
		config.vectors = vectors;
		power_up(config);
		const unsigned flags = find(PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;
		EXPECT_EQ(get<__u16>(flags) & PCI_MSIX_FLAGS_QSIZE, vectors - 1);
		const std::uint64_t end = OAC_MSIX_TABLE_OFFSET + vectors * PCI_MSIX_ENTRY_SIZE;
		EXPECT_EQ(reg(end - 4), 1u) << "masked";
		EXPECT_TRUE(set_reg(end - 4, 0));
		EXPECT_FALSE(set_reg(end, 0)) << vectors;
		EXPECT_EQ(reg(OAC_MSIX_PBA_OFFSET), 0u);
		card_->reset(reset_kind::bus);
		EXPECT_EQ(reg(end - 4), 1u) << "masked again";
	}
	for (const unsigned vectors : { 0u, OAC_MSIX_VECTORS + 1u, UINT32_MAX }) {
		config.vectors = vectors;
		EXPECT_THROW(power_up(config), std::invalid_argument) << vectors;
	}
}

TEST_F(config_test, BarsAnswerWithTheirSize)
{
	for (const unsigned bar : { OAC_BAR_REGS, OAC_BAR_LMEM, OAC_BAR_DOORBELL }) {
		const unsigned at = PCI_BASE_ADDRESS_0 + bar * 4;
		set<__u32>(at, 0xffffffff);
		set<__u32>(at + 4, 0xffffffff);
		const __u64 mask = get<__u64>(at);
		EXPECT_EQ(~(mask & ~0xfull) + 1, card_->bar_size(bar));
		EXPECT_EQ(mask & 0xf, bar == OAC_BAR_LMEM ? 0xcu : 0x4u);
	}
	EXPECT_EQ(card_->bar_size(1), 0u);
}

TEST_F(config_test, ReadOnlyStaysReadOnly)
{
	for (unsigned at = 0; at < 4096; at += 4)
		if (at != 0x78) /* device control: FLR */
			set<__u32>(at, 0xffffffff);
	EXPECT_EQ(get<__u32>(PCI_VENDOR_ID), 0x0ac11234u);
	EXPECT_EQ(get<__u16>(PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
						   PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
						   PCI_COMMAND_INTX_DISABLE);
	EXPECT_EQ(get<__u16>(find(PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS), 0xc03f);
	EXPECT_EQ(get<__u32>(0x100) & 0xffff, static_cast<__u32>(PCI_EXT_CAP_ID_ERR));
	EXPECT_FALSE(card_->config_write(4094, std::vector<std::byte>(4)));
	std::byte byte;
	EXPECT_FALSE(card_->config_read(4096, std::span(&byte, 1)));
	EXPECT_FALSE(card_->config_read(UINT64_MAX, std::span(&byte, 1)));
}

TEST_F(config_test, PowerStatesAreD0AndD3hot)
{
	const unsigned state = find(PCI_CAP_ID_PM) + PCI_PM_CTRL;
	set<__u16>(state, 3);
	EXPECT_EQ(get<__u16>(state) & 3, 3);
	set<__u16>(state, 1);
	EXPECT_EQ(get<__u16>(state) & 3, 3);
	set<__u16>(state, 0);
	EXPECT_EQ(get<__u16>(state) & 3, 0);
}

TEST_F(config_test, FlrResetsFunctionAndConfiguration)
{
	boot();
	const unsigned control = find(PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
	set<__u16>(PCI_COMMAND, PCI_COMMAND_MASTER);
	set<__u16>(control, PCI_EXP_DEVCTL_BCR_FLR);
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_ROM));
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), 1u);
	EXPECT_EQ(get<__u16>(PCI_COMMAND), 0);
	EXPECT_EQ(get<__u16>(control), 0x281f);
}

TEST_F(config_test, ErrorStatusIsClearedByOnesAndSticky)
{
	const unsigned aer = find_extended(PCI_EXT_CAP_ID_ERR);
	const unsigned device_status = find(PCI_CAP_ID_EXP) + PCI_EXP_DEVSTA;
	card_->log_link_error(PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_DLP, PCI_ERR_COR_BAD_TLP);
	EXPECT_EQ(get<__u16>(device_status), 0x7);
	card_->reset(reset_kind::bus);
	EXPECT_EQ(get<__u32>(aer + PCI_ERR_UNCOR_STATUS),
		  static_cast<__u32>(PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_DLP));
	set<__u32>(aer + PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_DLP);
	EXPECT_EQ(get<__u32>(aer + PCI_ERR_UNCOR_STATUS),
		  static_cast<__u32>(PCI_ERR_UNC_COMP_TIME));
	set<__u32>(aer + PCI_ERR_UNCOR_STATUS, 0);
	EXPECT_EQ(get<__u32>(aer + PCI_ERR_UNCOR_STATUS),
		  static_cast<__u32>(PCI_ERR_UNC_COMP_TIME));
	EXPECT_EQ(get<__u32>(aer + PCI_ERR_COR_STATUS), static_cast<__u32>(PCI_ERR_COR_BAD_TLP));
	card_->reset(reset_kind::power);
	EXPECT_EQ(get<__u32>(aer + PCI_ERR_COR_STATUS), 0u);
}

} // namespace
} // namespace oac::emu::test
