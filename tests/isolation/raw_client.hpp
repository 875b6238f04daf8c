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
	explicit raw_client(const std::string &node);
	raw_client(const raw_client &) = delete;
	raw_client &operator=(const raw_client &) = delete;
	~raw_client();

	/// 0 or -Exxx. Rings at the start of the memory, data behind.
	int create_queue();
	int call(unsigned long request, void *argument);

	int fd() const { return fd_; }
	std::uint32_t context() const { return context_; }
	std::uint32_t queue() const { return queue_; }
	std::uint32_t handle() const { return handle_; }
	std::uint64_t doorbell_offset() const { return doorbell_offset_; }
	std::span<std::byte> memory() const { return { memory_, size }; }
	std::span<std::byte> ring() const { return { memory_, depth * 64 }; }

	/// A good command in entry `index`.
	void write_nop(std::uint32_t index, std::uint32_t tag);
	void write_fill(std::uint32_t index, std::uint32_t tag, std::uint64_t to,
			std::uint64_t length);
	/// Stores to the doorbell page.
	void ring_doorbell(std::uint32_t tail);
	void arm(std::uint64_t word);
	/// What the kernel knows of the queue, after at most 10 s for completions != seen.
	drm_oac_queue_wait wait(std::uint32_t seen);

private:
	int fd_ = -1;
	std::uint32_t context_ = 0, queue_ = 0, handle_ = 0;
	std::uint64_t doorbell_offset_ = 0;
	std::byte *memory_ = nullptr, *doorbell_ = nullptr;
};

} // namespace isolation
