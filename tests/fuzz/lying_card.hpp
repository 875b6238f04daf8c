// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card whose answers are somebody's input, behind a bus of its own: it boots, and what it is asked
// it answers at once and in form; what it says may be anything. Where the input is all zeroes, or at
// its end, it tells the truth.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "bus.hpp"
#include "unique_fd.hpp"

class lying_card final : public accel::direct::bus
{
public:
	/* input outlives it; it is used by whatever thread calls. */
	explicit lying_card(FuzzedDataProvider &input);
	~lying_card() override;

	/* Until another thread than this one has begun to look after the card. */
	void wait_for_watch() const;
	/* A part of the input for somebody else. */
	template <typename Value>
	Value pick(Value least, Value most)
	{
		const std::lock_guard lock(mutex_);
		return input_.ConsumeIntegralInRange(least, most);
	}
	bool has_more()
	{
		const std::lock_guard lock(mutex_);
		return input_.remaining_bytes() > 0;
	}
	/* Writes anything to what the last queue shows of itself: its ring, its tail, its progress. */
	void scribble();

	std::uint32_t read32(std::uint32_t offset) override;
	void write32(std::uint32_t offset, std::uint32_t value) override;
	std::span<std::byte> doorbells() noexcept override { return {}; }
	std::uint64_t doorbells_size() const noexcept override;
	int doorbell_write(std::uint64_t offset, std::uint64_t value, unsigned) noexcept override;
	std::span<std::byte> local_memory() noexcept override { return local_; }
	void dma_map(int fd, std::uint64_t size, std::uint64_t address) override;
	void dma_unmap(std::uint64_t address, std::uint64_t size) override;
	unsigned vectors() const noexcept override { return 4; }
	void connect_vector(unsigned vector, int event_fd) override;
	bool reset() override;
	int numa_node() const noexcept override { return -1; }
	int lost_fd() const noexcept override { return ours_.get(); }
	bool is_dead() const noexcept override { return is_dead_; }
	void die() noexcept override;

private:
	std::uint32_t truth(std::uint32_t offset);
	std::byte *at(std::uint64_t address, std::uint64_t size);
	std::byte *in_context(std::uint64_t va, std::uint64_t size);
	void answer(const oac_admin_cmd &cmd, oac_completion &done);
	void take_map(const oac_admin_cmd &cmd);
	std::uint64_t fill_log(const oac_admin_cmd &cmd, std::span<std::byte> data);
	void garble(std::span<std::byte> data);
	void interrupt(unsigned vector);
	void back_to_rom();

	FuzzedDataProvider &input_;
	std::mutex mutex_;	/* guards all below, and the input */
	std::map<std::uint64_t, std::span<std::byte>> host_;	/* by bus address */
	std::map<std::uint64_t, oac_segment> maps_;		/* by device address */
	oac_admin_queue_create queue_{};
	std::uint32_t state_, registers_[64] = {};
	const bool is_endless_;	/* its event log has always more */
	std::uint32_t taken_ = 0, resets_ = 0, beat_ = 0;
	std::uint64_t events_ = 0;
	int event_fds_[4] = { -1, -1, -1, -1 };
	std::span<std::byte> local_;
	accel::unique_fd ours_, theirs_;
	std::atomic<bool> is_dead_{ false }, is_watched_{ false };
	const std::thread::id owner_ = std::this_thread::get_id();
};
