// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A client of the kernel's ABI without the library: it can do to its rings and doorbell whatever a
// hostile program can. Knows just enough of an entry to write a good one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <drm/oac_accel.h>

namespace isolation
{

class raw_client
{
public:
	static constexpr unsigned depth_log2 = 6;
	static constexpr std::uint32_t depth = 1u << depth_log2;
	static constexpr std::size_t page = 4096;
	static constexpr std::uint64_t base = 0x100000;	///< device address of the memory
	static constexpr std::size_t size = 16 * page;

	/// Opens the node; context and mapped memory are there, the queue is not. Throws.
	explicit raw_client(const std::string &node, std::uint64_t address = base);
	raw_client(const raw_client &) = delete;
	raw_client &operator=(const raw_client &) = delete;
	~raw_client();

	/// 0 or -Exxx. Rings at the start of the memory, data behind. flags: DRM_OAC_QUEUE_*
	int create_queue(std::uint32_t flags = 0);
	/// DRM_OAC_FEATURE_*
	std::uint64_t features();
	/// Contexts open on the card, of whomever.
	std::uint32_t contexts_of_card();
	int call(unsigned long request, void *argument);

	int fd() const { return fd_; }
	std::uint32_t context() const { return context_; }
	std::uint32_t queue() const { return queue_; }
	std::uint32_t handle() const { return handle_; }
	std::uint64_t address() const { return address_; }
	std::uint64_t mmap_offset() const { return mmap_offset_; }
	std::uint64_t doorbell_offset() const { return doorbell_offset_; }
	std::span<std::byte> memory() const { return { memory_, size }; }
	std::span<std::byte> ring() const { return { memory_, depth * 64 }; }

	/// A good command in entry `index`. Copies and fills take device addresses.
	void write_nop(std::uint32_t index, std::uint32_t tag);
	void write_fill(std::uint32_t index, std::uint32_t tag, std::uint64_t to,
			std::uint64_t length);
	void write_copy(std::uint32_t index, std::uint32_t tag, std::uint64_t to,
			std::uint64_t from, std::uint64_t length);
	/// Holds the queue until the word at `address` is `value` or more.
	void write_wait(std::uint32_t index, std::uint32_t tag, std::uint64_t address,
			std::uint64_t value);
	/// Stores to the doorbell page, or asks the driver to.
	void ring_doorbell(std::uint32_t tail);
	void arm(std::uint64_t word);
	/// What the kernel knows of the queue, after at most 10 s for completions != seen.
	drm_oac_queue_wait wait(std::uint32_t seen);
	/// Until that many have completed or the queue has failed.
	drm_oac_queue_wait wait_for(std::uint32_t count);
	/// A handle for a dma-buf and back: 0 or -Exxx.
	int export_memory(int *dma_buf);
	int import_memory(int dma_buf, std::uint32_t *handle);
	/// Makes the start of another buffer visible to the card.
	int map(std::uint32_t handle, std::uint64_t address, std::uint64_t length);

private:
	int fd_ = -1;
	std::uint32_t context_ = 0, queue_ = 0, handle_ = 0;
	std::uint64_t address_, mmap_offset_ = 0, doorbell_offset_ = 0;
	std::byte *memory_ = nullptr, *doorbell_ = nullptr;
};

} // namespace isolation
