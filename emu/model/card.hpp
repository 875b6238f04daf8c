// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The emulated card: one PCIe function behind a narrow port. It owns registers, local memory,
// doorbell pages, boot ROM, admin queue, contexts, queues, engines and sensors. A shell (in-process
// thread, vfio-user server) calls it from one thread at a time; the card has no thread, no socket
// and no clock of its own, so that the same calls give the same card. It does not know Linux.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>

namespace oac::emu
{

/* What a board has before any firmware runs. */
struct card_config {
	std::uint64_t serial = 1;
	std::uint64_t lmem_size = 256ull << 20; /* power of two, whole pages */
	unsigned doorbell_pages = 1024; /* power of two */
	bool shared_doorbells = true; /* false: every doorbell store is trapped */
	bool isolated_doorbells = true; /* false: CAP does not promise it, so users get no page */
	std::array<std::uint8_t, OAC_FW_KEY_SIZE> trusted_key{};
	std::uint32_t security_version = 0; /* fuse: lower images are refused */
	std::vector<std::uint8_t> flash; /* image in the flash slot; empty = none */
};

enum class access { read, write };

/* What the card needs from the outside; implemented by the shell. */
class card_port
{
public:
	virtual ~card_port() = default;
	/*
	 * Host memory at a bus address, as far as it is directly reachable: the span starts at
	 * addr and is at most length long (shorter where the mapping ends), empty if the range is
	 * not directly reachable. Valid until the shell changes its DMA maps, never across step().
	 */
	virtual std::span<std::byte> dma_window(std::uint64_t addr, std::uint64_t length,
						access kind) = 0;
	/* The slow way, for memory without a window. false: the host refused. */
	virtual bool dma_read(std::uint64_t addr, std::span<std::byte> to) = 0;
	virtual bool dma_write(std::uint64_t addr, std::span<const std::byte> from) = 0;
	virtual void interrupt(unsigned vector) = 0;
	/* Monotonic nanoseconds: the only clock of the card. */
	virtual std::uint64_t now_ns() = 0;
};

enum class reset_kind {
	bus, /* hot reset, FLR, DEVICE_RESET, RESET register: all but flash, counters, events, fuses */
	power, /* everything but flash and fuses */
};

/* Backing memory of a BAR that may be mapped by the host: BAR2 and BAR4. */
struct bar_memory {
	int fd; /* memfd, owned by the card */
	std::uint64_t size;
};

class card
{
public:
	card(const card_config &config, card_port &port);
	~card();
	card(const card &) = delete;
	card &operator=(const card &) = delete;

	/* Configuration space, 4096 bytes; any size and alignment inside. false: out of range. */
	bool config_read(std::uint64_t offset, std::span<std::byte> to);
	bool config_write(std::uint64_t offset, std::span<const std::byte> from);

	/* BAR accesses. false: no such BAR, register or width, or a write to a read-only one. */
	bool bar_read(unsigned bar, std::uint64_t offset, std::span<std::byte> to);
	bool bar_write(unsigned bar, std::uint64_t offset, std::span<const std::byte> from);
	std::uint64_t bar_size(unsigned bar) const; /* 0: no such BAR */
	std::optional<bar_memory> bar_backing(unsigned bar) const;

	void reset(reset_kind kind);

	/*
	 * For fault injection: errors of the link as PCI_ERR_UNC_* and PCI_ERR_COR_* bits, shown in
	 * AER and device status. Telling the host is the root port's part, so the shell's.
	 */
	void log_link_error(std::uint32_t uncorrectable, std::uint32_t correctable);

	/*
	 * Does a bounded piece of work: a boot step, an admin command, commands of one queue or a
	 * slice of a long copy. true: there is more to do now.
	 */
	bool step();

	/* When step() has work by time alone (a WAIT to poll, sensors); nothing = only on an event. */
	std::optional<std::uint64_t> next_event_ns() const;

	/*
	 * Shared doorbells: announce in every doorbell page that the card stops polling. false:
	 * work came in meanwhile, call step() again. wake() takes the announcement back.
	 */
	bool fall_asleep();
	void wake();

private:
	struct impl;
	std::unique_ptr<impl> impl_;
};

} // namespace oac::emu
