// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The bus to a card that speaks vfio-user: finds its regions and interrupts, and turns accesses into
// messages. BAR2 and BAR4 are mapped where the server gives them out whole.
#pragma once

#include <string>

#include "bus.hpp"
#include "vfio_user_client.hpp"

namespace accel::direct
{

class bus_vfio_user final : public bus
{
public:
	/* Negotiates. Throws ENODEV, EBUSY (another client has the card), EPROTO, ETIMEDOUT. */
	bus_vfio_user(unique_fd socket, const std::string &name, std::int64_t timeout_ns);

	std::uint32_t read32(std::uint32_t offset) override;
	void write32(std::uint32_t offset, std::uint32_t value) override;
	std::span<std::byte> doorbells() noexcept override;
	std::uint64_t doorbells_size() const noexcept override;
	int doorbell_write(std::uint64_t offset, std::uint64_t value,
			   unsigned width) noexcept override;
	std::span<std::byte> local_memory() noexcept override;
	void dma_map(int fd, std::uint64_t size, std::uint64_t address) override;
	void dma_unmap(std::uint64_t address, std::uint64_t size) override;
	unsigned vectors() const noexcept override;
	void connect_vector(unsigned vector, int event_fd) override;
	bool reset() override;
	int numa_node() const noexcept override;
	int lost_fd() const noexcept override;
	bool is_dead() const noexcept override;
	void die() noexcept override;

private:
	struct region {
		std::uint64_t size = 0;
		mapping memory;
	};
	void negotiate();
	void check_device();
	void check_identity();
	region look_at_region(std::uint32_t index);
	unsigned look_at_vectors();
	void read_region(std::uint32_t index, std::uint64_t offset, std::span<std::byte> to);
	void write_region(std::uint32_t index, std::uint64_t offset,
			  std::span<const std::byte> from);
	[[noreturn]] void not_a_card(const std::string &what);

	std::string name_;
	vfio_user_client client_;
	region doorbells_;
	region local_memory_;
	unsigned vectors_ = 0;
};

} // namespace accel::direct
