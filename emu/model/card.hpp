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
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace oac::emu
{

/* As many as the contract has room for. */
inline constexpr unsigned VECTORS_MAX = OAC_MSIX_VECTORS;

/* What a board has before any firmware runs. */
struct card_config {
	std::uint64_t serial = 1;
	std::uint64_t lmem_size = 256ull << 20; /* power of two, whole pages */
	unsigned doorbell_pages = 1024; /* power of two */
	unsigned vectors = VECTORS_MAX; /* size of the MSI-X table, 1 or more */
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
	 * not directly reachable. Valid as long as window_epoch stands still, or else for the step
	 * in which it was given out: an end of it waits for the end of the step.
	 */
	virtual std::span<std::byte> dma_window(std::uint64_t addr, std::uint64_t length,
						access kind) = 0;
	/* The slow way, for memory without a window. false: the host refused. */
	virtual bool dma_read(std::uint64_t addr, std::span<std::byte> to) = 0;
	virtual bool dma_write(std::uint64_t addr, std::span<const std::byte> from) = 0;
	virtual void interrupt(unsigned vector) = 0;
	/* Monotonic nanoseconds: the only clock of the card. */
	virtual std::uint64_t now_ns() = 0;
	/* Holds the card up: for faults that make it slow. */
	virtual void pause(std::uint64_t ns) = 0;
	/*
	 * Moves when a window given out before may have ended: by the shell with its DMA maps, by
	 * the card with its own. While it stands still, windows may be used in later steps.
	 */
	std::uint64_t window_epoch = 0;
};

/* All but the last keep flash, fuses, counters, events and firmware's lines. */
enum class reset_kind {
	soft, /* RESET register: keeps the configuration space and MSI-X, too */
	flr,
	bus, /* hot reset, DEVICE_RESET */
	power, /* everything but flash and fuses */
};

class fault_hooks;
struct conditions;

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
	 * For fault injection, between two steps or in on_access(). Hooks are borrowed; null: none.
	 * A card that dies keeps its objects until it lives again, which is a bus reset; meanwhile
	 * what the host has mapped of it reads all ones where it was ever used.
	 */
	void set_hooks(fault_hooks *hooks);
	void set_conditions(const conditions &now);
	void crash(std::uint32_t code); /* firmware gives up; if it runs */
	void reset_silently(); /* as RESET, unasked */
	void post(unsigned queue, const oac_completion &entry);
	void thaw(unsigned queue); /* its frozen command goes on */
	void end_boot_hang();
	void raise(unsigned vector);
	void report_engine_error(unsigned engine);
	void add_memory_error(unsigned heap, std::uint64_t offset, bool is_lost);
	/* A transfer nobody asked for; false: refused, which is an event. */
	bool stray_dma(std::uint64_t address, bool is_write);
	bool set_sensor(unsigned id, std::optional<std::int64_t> value); /* nothing: as measured */
	bool set_sensor_dead(unsigned id, bool is_dead);
	void set_power_brake(bool on);
	std::uint64_t now_ns();
	std::uint32_t state() const; /* OAC_STATE_* */
	std::uint32_t reset_count() const; /* since power on */
	std::uint64_t lmem_size() const;
	unsigned engine_count() const; /* 0: no firmware runs */
	/*
	 * Errors of the link as PCI_ERR_UNC_* and PCI_ERR_COR_* bits, shown in AER and device status.
	 * Telling the host is the root port's part, so the shell's.
	 */
	void log_link_error(std::uint32_t uncorrectable, std::uint32_t correctable);

	/*
	 * Does a bounded piece of work: a boot step, an admin command, commands of one queue or a
	 * slice of a long copy. true: there is more to do now. It does not look at the clock to find
	 * out what is due: that is what tick() does, to be called before the first step, when
	 * next_event_ns() has come, and now and then in between.
	 */
	bool step();
	void tick();
	/* How long the last step took, in units of about one copied byte. 0: it did nothing. */
	std::uint64_t step_cost() const;

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
