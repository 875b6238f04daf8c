// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See registers.hpp.
#include "registers.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <linux/pci_regs.h>

namespace oac::emu
{

namespace
{

enum class mode { RO, RW, WO };

struct reg {
	std::uint32_t offset;
	mode access;
};

constexpr reg TABLE[] = {
#define OAC_REG_ROW(name, access) { OAC_REG_##name, mode::access },
	OAC_REGS(OAC_REG_ROW)
#undef OAC_REG_ROW
};

const reg *find(std::uint64_t offset)
{
	const reg *found = std::find_if(std::begin(TABLE), std::end(TABLE),
					[&](const reg &r) { return r.offset == offset; });
	return found == std::end(TABLE) ? nullptr : found;
}

constexpr unsigned HALF_BITS = 32;
constexpr std::uint64_t HEARTBEAT_NS = 1000000;

std::uint32_t low_half(std::uint64_t value)
{
	return static_cast<std::uint32_t>(value);
}

std::uint32_t high_half(std::uint64_t value)
{
	return static_cast<std::uint32_t>(value >> HALF_BITS);
}

} // namespace

registers::registers(board &on, boot_rom &rom, admin &queues, const card_config &config)
	: board_(on), rom_(rom), admin_(queues), serial_(config.serial),
	  capabilities_((config.doorbell_pages & OAC_CAP_DOORBELL_PAGES_MASK) |
			(config.shared_doorbells ? OAC_CAP_DOORBELL_SHARED_MASK : 0) |
			(config.isolated_doorbells ? OAC_CAP_DOORBELL_ISOLATED_MASK : 0)),
	  msix_table_(std::size_t{ config.vectors } * PCI_MSIX_ENTRY_SIZE)
{
	reset_msix();
}

void registers::reset()
{
	boot_address_ = {};
	admin_sq_ = {};
	admin_cq_ = {};
	boot_size_ = 0;
	admin_depth_ = OAC_ADMIN_DEPTH_MIN;
	clock_high_ = 0;
	heartbeat_ = 0;
}

/* Every vector starts masked. */
void registers::reset_msix()
{
	std::ranges::fill(msix_table_, std::byte{ 0 });
	msix_pba_ = {};
	for (std::size_t at = PCI_MSIX_ENTRY_VECTOR_CTRL; at < msix_table_.size();
	     at += PCI_MSIX_ENTRY_SIZE)
		msix_table_[at] = std::byte{ PCI_MSIX_ENTRY_CTRL_MASKBIT };
}

/* The MSI-X area of an access, or null. */
std::byte *registers::storage(std::uint64_t offset, std::size_t length)
{
	const auto inside = [&](std::uint64_t start, std::size_t size) {
		return offset >= start && offset - start < size &&
		       length <= size - (offset - start);
	};

	if ((length != 4 && length != 8) || offset % length)
		return nullptr;
	if (inside(OAC_MSIX_TABLE_OFFSET, msix_table_.size()))
		return msix_table_.data() + (offset - OAC_MSIX_TABLE_OFFSET);
	if (inside(OAC_MSIX_PBA_OFFSET, msix_pba_.size()))
		return msix_pba_.data() + (offset - OAC_MSIX_PBA_OFFSET);
	return nullptr;
}

bool registers::read(std::uint64_t offset, std::span<std::byte> to)
{
	const reg *which = find(offset);

	if (const std::byte *at = storage(offset, to.size())) {
		std::memcpy(to.data(), at, to.size());
		return true;
	}
	if (!which || which->access == mode::WO || to.size() != sizeof(std::uint32_t))
		return false;
	std::uint32_t value = value_of(offset);
	if (board_.hooks) [[unlikely]]
		board_.hooks->on_register(offset, value);
	std::memcpy(to.data(), &value, sizeof(value));
	return true;
}

bool registers::write(std::uint64_t offset, std::span<const std::byte> from, bool &reset)
{
	const reg *which = find(offset);
	std::uint32_t value;

	reset = false;
	if (std::byte *at = storage(offset, from.size())) {
		std::memcpy(at, from.data(), from.size());
		return true;
	}
	if (!which || which->access == mode::RO || from.size() != sizeof(value))
		return false;
	std::memcpy(&value, from.data(), sizeof(value));
	return set(offset, value, reset);
}

std::uint32_t registers::protocol() const
{
	std::uint32_t minor = OAC_PROTOCOL_MINOR;

	if (rom_.state() == OAC_STATE_RUNNING)
		minor = board_.running->header.protocol_minor;
	return OAC_PROTOCOL_MAJOR << OAC_PROTOCOL_MAJOR_SHIFT | minor;
}

std::uint32_t registers::heartbeat()
{
	if (rom_.state() == OAC_STATE_RUNNING && !board_.broken.heartbeat_stopped)
		heartbeat_ = low_half(board_.clock_ns() / HEARTBEAT_NS) & INT32_MAX;
	return heartbeat_;
}

std::uint32_t registers::value_of(std::uint64_t offset)
{
	switch (offset) {
	case OAC_REG_ID:
		return OAC_ID_MAGIC;
	case OAC_REG_PROTOCOL:
		return protocol();
	case OAC_REG_CAP:
		return capabilities_;
	case OAC_REG_STATUS:
		return rom_.state() | (admin_.has_error() ? OAC_STATUS_ADMIN_ERROR_MASK : 0);
	case OAC_REG_POST_CODE:
		return rom_.post_code();
	case OAC_REG_BOOT_PROGRESS:
		return rom_.progress();
	case OAC_REG_BOOT_FAIL:
		return rom_.failure();
	case OAC_REG_RESET_COUNT:
		return reset_count_;
	case OAC_REG_HEARTBEAT:
		return heartbeat();
	case OAC_REG_SERIAL_LO:
		return low_half(serial_);
	case OAC_REG_SERIAL_HI:
		return high_half(serial_);
	case OAC_REG_LMEM_SIZE_LO:
		return low_half(board_.lmem.size());
	case OAC_REG_LMEM_SIZE_HI:
		return high_half(board_.lmem.size());
	case OAC_REG_SECURITY_VERSION:
		return rom_.security_version();
	case OAC_REG_BOOT_ADDR_LO:
		return boot_address_.low;
	case OAC_REG_BOOT_ADDR_HI:
		return boot_address_.high;
	case OAC_REG_BOOT_SIZE:
		return boot_size_;
	case OAC_REG_ADMIN_SQ_LO:
		return admin_sq_.low;
	case OAC_REG_ADMIN_SQ_HI:
		return admin_sq_.high;
	case OAC_REG_ADMIN_CQ_LO:
		return admin_cq_.low;
	case OAC_REG_ADMIN_CQ_HI:
		return admin_cq_.high;
	case OAC_REG_ADMIN_DEPTH:
		return admin_depth_;
	case OAC_REG_ADMIN_CONTROL:
		return admin_.is_enabled() ? OAC_ADMIN_CONTROL_ENABLE_MASK : 0;
	case OAC_REG_CLOCK_LO: {
		const std::uint64_t now = board_.clock_ns();
		clock_high_ = high_half(now);
		return low_half(now);
	}
	case OAC_REG_CLOCK_HI:
		return clock_high_;
	case OAC_REG_EVENT_SEQ:
		return board_.read_event_seq();
	}
	return OAC_REG_ALL_ONES;
}

bool registers::set(std::uint64_t offset, std::uint32_t value, bool &reset)
{
	switch (offset) {
	case OAC_REG_BOOT_ADDR_LO:
		boot_address_.write_low(value);
		return true;
	case OAC_REG_BOOT_ADDR_HI:
		boot_address_.write_high(value);
		return true;
	case OAC_REG_BOOT_SIZE:
		boot_size_ = value;
		return true;
	case OAC_REG_BOOT_COMMAND:
		return rom_.command(value, boot_address_.value, boot_size_);
	case OAC_REG_RESET:
		reset = value == OAC_RESET_MAGIC;
		return reset;
	case OAC_REG_ADMIN_CONTROL:
		return set_admin_control(value);
	}
	return set_admin(offset, value);
}

/* Addresses and depth of the admin rings: only while they are not in use. */
bool registers::set_admin(std::uint64_t offset, std::uint32_t value)
{
	const bool is_low = offset == OAC_REG_ADMIN_SQ_LO || offset == OAC_REG_ADMIN_CQ_LO;

	if (admin_.is_enabled() || (is_low && value % OAC_PAGE_SIZE))
		return false;
	switch (offset) {
	case OAC_REG_ADMIN_SQ_LO:
		admin_sq_.write_low(value);
		return true;
	case OAC_REG_ADMIN_SQ_HI:
		admin_sq_.write_high(value);
		return true;
	case OAC_REG_ADMIN_CQ_LO:
		admin_cq_.write_low(value);
		return true;
	case OAC_REG_ADMIN_CQ_HI:
		admin_cq_.write_high(value);
		return true;
	}
	if (!std::has_single_bit(value) || value < OAC_ADMIN_DEPTH_MIN ||
	    value > OAC_ADMIN_DEPTH_MAX)
		return false;
	admin_depth_ = value;
	return true;
}

bool registers::set_admin_control(std::uint32_t value)
{
	if (value & ~OAC_ADMIN_CONTROL_ENABLE_MASK)
		return false;
	if (!(value & OAC_ADMIN_CONTROL_ENABLE_MASK)) {
		admin_.disable();
		return true;
	}
	if (rom_.state() != OAC_STATE_RUNNING)
		return false;
	if (!admin_.is_enabled())
		admin_.enable(admin_sq_.value, admin_cq_.value, admin_depth_);
	return true;
}

} // namespace oac::emu
