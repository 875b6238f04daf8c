// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How the direct backend touches a card: registers, doorbells, host memory, interrupts. Today one
// bus: bus_vfio_user (an emulated card behind a socket or in this process); a card under /dev/vfio
// would be another. A bus knows no register by name and has no policy.
//
// Any thread may call at any time. What fails for good makes the bus dead: from then on calls throw
// ENODEV, and lost_fd() polls POLLHUP. An access that the card refuses throws EPROTO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace accel::direct
{

class bus
{
public:
	bus() = default;
	bus(const bus &) = delete;
	bus &operator=(const bus &) = delete;
	virtual ~bus() = default;

	/* Registers in BAR0. */
	virtual std::uint32_t read32(std::uint32_t offset) = 0;
	virtual void write32(std::uint32_t offset, std::uint32_t value) = 0;

	/* BAR4 in this process; empty: it is trapped, and doorbell_write() is the only way. */
	virtual std::span<std::byte> doorbells() noexcept = 0;
	virtual std::uint64_t doorbells_size() const noexcept = 0;
	/* A store of 4 or 8 bytes that always reaches the card. 0 or -ENODEV; does not wait for it. */
	virtual int doorbell_write(std::uint64_t offset, std::uint64_t value,
				   unsigned width) noexcept = 0;

	/* Local memory as BAR2 shows it, in this process; empty: it cannot be mapped. */
	virtual std::span<std::byte> local_memory() noexcept = 0;

	/* All size bytes of a memory file at a bus address, for the card to read and write. */
	virtual void dma_map(int fd, std::uint64_t size, std::uint64_t address) = 0;
	/* When this returns the card touches the memory no more. */
	virtual void dma_unmap(std::uint64_t address, std::uint64_t size) = 0;

	virtual unsigned vectors() const noexcept = 0;
	/* From now on the card's interrupt signals this eventfd, which the bus does not keep. */
	virtual void connect_vector(unsigned vector, int event_fd) = 0;

	/*
	 * Resets the function from outside (FLR), and lets it answer and reach memory again; maps and
	 * interrupts stay. false: this bus cannot.
	 */
	virtual bool reset() { return false; }

	/* The node the card's memory should be near; -1: unknown. */
	virtual int numa_node() const noexcept = 0;
	virtual int lost_fd() const noexcept = 0;
	virtual bool is_dead() const noexcept = 0;
	/* Gives the card up: everybody who waits for it is woken. */
	virtual void die() noexcept = 0;
};

} // namespace accel::direct
