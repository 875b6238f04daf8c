// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See config_space.hpp. The names are the PCI specifications', by way of linux/pci_regs.h.
#include "config_space.hpp"

#include <algorithm>
#include <cstring>

#include <hw/oac_regs.h>
#include <linux/pci_regs.h>

namespace oac::emu
{

namespace
{

constexpr std::uint16_t SUBSYSTEM_ID = 1;
constexpr std::uint8_t REVISION = 1;
constexpr unsigned CLASS_SHIFT = 8, LINK_WIDTH = 4, EXT_VERSION_SHIFT = 16, EXT_NEXT_SHIFT = 20;
constexpr unsigned BYTE_BITS = 8;
constexpr std::uint32_t ALL_32 = UINT32_MAX;

constexpr std::uint64_t ERROR_BITS = PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT |
				     PCI_STATUS_REC_TARGET_ABORT | PCI_STATUS_REC_MASTER_ABORT |
				     PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY;

constexpr std::uint64_t UNCORRECTABLE =
	PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_POISON_TLP | PCI_ERR_UNC_FCP |
	PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_COMP_ABORT | PCI_ERR_UNC_UNX_COMP |
	PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_ECRC | PCI_ERR_UNC_UNSUP |
	PCI_ERR_UNC_INTN;
constexpr std::uint64_t FATAL = PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP |
				PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_INTN;
constexpr std::uint64_t CORRECTABLE =
	PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP | PCI_ERR_COR_REP_ROLL |
	PCI_ERR_COR_REP_TIMER | PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL;

} // namespace

config_space::config_space(const bar_sizes &bars, const card_config &config)
{
	add_header(bars);
	add_power_management();
	add_msix(config.vectors);
	add_express();
	add_express_link();
	add_error_reporting();
	add_serial(config.serial);
	value_ = initial_;
}

void config_space::field(std::size_t offset, std::size_t size, std::uint64_t value,
			 std::uint64_t writable, std::uint64_t clearable)
{
	for (std::size_t i = 0; i < size; i++) {
		const unsigned shift = static_cast<unsigned>(i) * BYTE_BITS;
		initial_[offset + i] = static_cast<std::uint8_t>(value >> shift);
		writable_[offset + i] = static_cast<std::uint8_t>(writable >> shift);
		clearable_[offset + i] = static_cast<std::uint8_t>(clearable >> shift);
	}
}

void config_space::add_header(const bar_sizes &bars)
{
	field(PCI_VENDOR_ID, 2, OAC_PCI_VENDOR_ID);
	field(PCI_DEVICE_ID, 2, OAC_PCI_DEVICE_ID);
	field(PCI_COMMAND, 2, 0,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		      PCI_COMMAND_INTX_DISABLE);
	field(PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0, ERROR_BITS);
	field(PCI_CLASS_REVISION, 4, std::uint64_t{ OAC_PCI_CLASS } << CLASS_SHIFT | REVISION);
	field(PCI_CACHE_LINE_SIZE, 1, 0, UINT8_MAX);
	add_bar(PCI_BASE_ADDRESS_0, bars.regs, 0);
	add_bar(PCI_BASE_ADDRESS_2, bars.lmem, PCI_BASE_ADDRESS_MEM_PREFETCH);
	add_bar(PCI_BASE_ADDRESS_4, bars.doorbell, 0);
	field(PCI_SUBSYSTEM_VENDOR_ID, 2, OAC_PCI_VENDOR_ID);
	field(PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_ID);
	field(PCI_CAPABILITY_LIST, 1, PM);
	field(PCI_INTERRUPT_LINE, 1, 0, UINT8_MAX);
	/* interrupt pin 0: MSI-X only */
}

/* All ones written give back the size: address bits below it stay zero. */
void config_space::add_bar(std::size_t offset, std::uint64_t size, std::uint64_t flags)
{
	field(offset, 8, flags | PCI_BASE_ADDRESS_MEM_TYPE_64, ~(size - 1));
}

void config_space::add_power_management()
{
	constexpr std::uint64_t version = 3;

	field(PM, 2, PCI_CAP_ID_PM | MSIX << BYTE_BITS);
	field(PM + PCI_PM_PMC, 2, version);
	field(PM + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET, PCI_PM_CTRL_STATE_MASK);
}

void config_space::add_msix(unsigned vectors)
{
	field(MSIX, 2, PCI_CAP_ID_MSIX | EXPRESS << BYTE_BITS);
	field(MSIX + PCI_MSIX_FLAGS, 2, vectors - 1,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	field(MSIX + PCI_MSIX_TABLE, 4, OAC_MSIX_TABLE_OFFSET | OAC_BAR_REGS);
	field(MSIX + PCI_MSIX_PBA, 4, OAC_MSIX_PBA_OFFSET | OAC_BAR_REGS);
}

void config_space::add_express()
{
	constexpr std::uint64_t version = 2, payload_256 = 1;

	field(EXPRESS, 2, PCI_CAP_ID_EXP);
	field(EXPRESS + PCI_EXP_FLAGS, 2, version);
	field(EXPRESS + PCI_EXP_DEVCAP, 4,
	      payload_256 | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	/*
	 * Error reporting starts enabled: QEMU injects AER by the value it saw first. Reading
	 * FLR gives 0, see write().
	 */
	field(EXPRESS + PCI_EXP_DEVCTL, 2,
	      PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		      PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		      PCI_EXP_DEVCTL_READRQ_512B,
	      PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		      PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		      PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	field(EXPRESS + PCI_EXP_DEVSTA, 2, 0, 0,
	      PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
	field(EXPRESS + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	field(EXPRESS + PCI_EXP_DEVCTL2, 2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
}

void config_space::add_express_link()
{
	constexpr std::uint64_t width = LINK_WIDTH << PCI_EXP_LNKSTA_NLW_SHIFT;
	constexpr std::uint64_t aspm_optional = std::uint64_t{ 1 } << 22;
	/* all three phases of equalisation done, and it complete */
	constexpr std::uint64_t equalised = 0b11110;

	field(EXPRESS + PCI_EXP_LNKCAP, 4, PCI_EXP_LNKCAP_SLS_8_0GB | width | aspm_optional);
	field(EXPRESS + PCI_EXP_LNKCTL, 2, 0,
	      PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	field(EXPRESS + PCI_EXP_LNKSTA, 2, PCI_EXP_LNKSTA_CLS_8_0GB | width | PCI_EXP_LNKSTA_SLC);
	field(EXPRESS + PCI_EXP_LNKCAP2, 4,
	      PCI_EXP_LNKCAP2_SLS_2_5GB | PCI_EXP_LNKCAP2_SLS_5_0GB | PCI_EXP_LNKCAP2_SLS_8_0GB);
	field(EXPRESS + PCI_EXP_LNKCTL2, 2, PCI_EXP_LNKCTL2_TLS_8_0GT, PCI_EXP_LNKCTL2_TLS);
	field(EXPRESS + PCI_EXP_LNKSTA2, 2, equalised);
}

void config_space::add_error_reporting()
{
	constexpr std::uint64_t version = 2;

	field(AER, 4, PCI_EXT_CAP_ID_ERR | version << EXT_VERSION_SHIFT | DSN << EXT_NEXT_SHIFT);
	field(AER + PCI_ERR_UNCOR_STATUS, 4, 0, 0, UNCORRECTABLE);
	field(AER + PCI_ERR_UNCOR_MASK, 4, PCI_ERR_UNC_INTN, UNCORRECTABLE);
	field(AER + PCI_ERR_UNCOR_SEVER, 4, FATAL, UNCORRECTABLE);
	field(AER + PCI_ERR_COR_STATUS, 4, 0, 0, CORRECTABLE);
	field(AER + PCI_ERR_COR_MASK, 4, PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL, CORRECTABLE);
}

void config_space::add_serial(std::uint64_t serial)
{
	constexpr std::uint64_t version = 1;

	field(DSN, 4, PCI_EXT_CAP_ID_DSN | version << EXT_VERSION_SHIFT);
	field(DSN + 4, 8, serial);
}

bool config_space::read(std::uint64_t offset, std::span<std::byte> to) const
{
	if (offset > SIZE || to.size() > SIZE - offset)
		return false;
	std::memcpy(to.data(), value_.data() + offset, to.size());
	return true;
}

bool config_space::write(std::uint64_t offset, std::span<const std::byte> from, bool &flr)
{
	constexpr std::size_t flr_byte = EXPRESS + PCI_EXP_DEVCTL + 1,
			      state_byte = PM + PCI_PM_CTRL;
	constexpr std::uint8_t flr_bit = PCI_EXP_DEVCTL_BCR_FLR >> BYTE_BITS;
	constexpr std::uint8_t d3hot = PCI_PM_CTRL_STATE_MASK;

	flr = false;
	if (offset > SIZE || from.size() > SIZE - offset)
		return false;
	for (std::size_t i = 0; i < from.size(); i++) {
		const std::size_t at = static_cast<std::size_t>(offset) + i;
		const auto byte = static_cast<std::uint8_t>(from[i]);
		const std::uint8_t state = byte & PCI_PM_CTRL_STATE_MASK;
		/* D1 and D2 are not there: such a write leaves the state as it is */
		if (at == state_byte && state != 0 && state != d3hot)
			continue;
		const unsigned kept = value_[at] & ~(writable_[at] | (byte & clearable_[at]));
		value_[at] = static_cast<std::uint8_t>(kept | (byte & writable_[at]));
		flr = flr || (at == flr_byte && byte & flr_bit);
	}
	return true;
}

void config_space::reset(bool keep_sticky)
{
	constexpr std::size_t first = AER + PCI_ERR_UNCOR_STATUS, end = AER + PCI_ERR_ROOT_COMMAND;
	const auto before = value_;

	value_ = initial_;
	if (keep_sticky)
		std::copy(before.begin() + first, before.begin() + end, value_.begin() + first);
}

void config_space::set_bits(std::size_t offset, std::uint32_t bits)
{
	std::uint32_t word;

	std::memcpy(&word, value_.data() + offset, sizeof(word));
	word |= bits;
	std::memcpy(value_.data() + offset, &word, sizeof(word));
}

void config_space::log_error(std::uint32_t uncorrectable, std::uint32_t correctable)
{
	std::uint32_t severity;

	std::memcpy(&severity, value_.data() + AER + PCI_ERR_UNCOR_SEVER, sizeof(severity));
	uncorrectable &= UNCORRECTABLE & ALL_32;
	correctable &= CORRECTABLE & ALL_32;
	set_bits(AER + PCI_ERR_UNCOR_STATUS, uncorrectable);
	set_bits(AER + PCI_ERR_COR_STATUS, correctable);
	std::uint16_t status = 0;
	if (correctable)
		status |= PCI_EXP_DEVSTA_CED;
	if (uncorrectable & severity)
		status |= PCI_EXP_DEVSTA_FED;
	if (uncorrectable & ~severity)
		status |= PCI_EXP_DEVSTA_NFED;
	value_[EXPRESS + PCI_EXP_DEVSTA] |= static_cast<std::uint8_t>(status);
}

} // namespace oac::emu
