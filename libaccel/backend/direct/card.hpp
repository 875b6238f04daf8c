// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One card, driven in user space: boot, admin queue, ids, queues, memory. Shared by all handles of
// this process that opened it (card_registry.hpp); a handle is device.hpp. Everything the card says
// is checked here or below.
//
// Lock order: life_mutex_, then the locks inside admin_queue, interrupts and bus_addresses;
// facts_mutex_, then table_mutex_, are innermost and held for moments only. What changes by the card's
// answers is changed with both life_mutex_ and facts_mutex_ and read with either, so that who only
// looks never waits for the card.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "admin_queue.hpp"
#include "backend.hpp"
#include "boot.hpp"
#include "bus.hpp"
#include "deadline_mutex.hpp"
#include "emulator.hpp"
#include "patience.hpp"
#include "host_memory.hpp"
#include "id_pool.hpp"
#include "interrupts.hpp"
#include "local_memory.hpp"

namespace accel::direct
{

class card
{
public:
	/*
	 * Resets the card, since an earlier client's contexts must go, and boots it; a boot that
	 * fails is told by info(). emulated: the card itself when it lives in this process.
	 */
	card(std::string name, std::string node, std::unique_ptr<bus> on,
	     std::unique_ptr<emulated_card> emulated);
	card(const card &) = delete;
	card &operator=(const card &) = delete;
	~card();

	const std::string &name() const noexcept { return name_; }
	/* At the process's end: the card stops under whoever still has it open. */
	void stop() noexcept;
	bool is_lost() const noexcept { return bus_->is_dead(); }
	/* Looks, too. */
	bool is_gone() noexcept;
	int lost_fd() const noexcept { return bus_->lost_fd(); }

	device_info info();
	std::unique_ptr<host_memory> allocate(std::size_t size);
	std::unique_ptr<host_memory> import(int file);
	std::unique_ptr<local_memory> allocate_local(std::size_t size);

	/* group: clients that share the card, see oac_admin_context_create. */
	std::uint32_t next_group() noexcept { return groups_.fetch_add(1) + 1; }
	std::uint32_t context_create(std::uint32_t group);
	void context_destroy(std::uint32_t context) noexcept;
	usage_reading context_usage(std::uint32_t context);
	/* target: a bus address, or with OAC_MAP_LOCAL an offset in local memory. */
	void map(std::uint32_t context, std::uint64_t target, std::size_t size, std::uint64_t va,
		 std::uint32_t flags);
	void unmap(std::uint32_t context, std::uint64_t va, std::size_t size);

	queue_port queue_create(std::uint32_t context, const queue_rings &rings);
	void queue_destroy(std::uint32_t queue) noexcept;
	int queue_ring(std::uint32_t queue, unsigned offset, std::uint64_t value,
		       unsigned width) noexcept;
	int queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
		       queue_progress *progress) noexcept;
	int queue_event_fd(std::uint32_t queue);

	/* This process. */
	client_reading client();
	telemetry_reading telemetry();
	std::size_t events(std::uint64_t from, std::span<event_reading> events);
	void firmware_load(std::span<const std::byte> image, std::int64_t deadline);

	/* Of buffers of the API; kept by the handles. */
	std::atomic<std::uint64_t> host_bytes{ 0 };

private:
	struct queue_record;

	/* life_mutex_, for as long as what this gives lives. Throws ETIMEDOUT. */
	deadline_lock hold()
	{
		return { life_mutex_, patience::within(DEFAULT_TIMEOUT_NS), "card " + name_ };
	}
	void boot_as_found() noexcept;
	std::uint32_t boot(std::optional<std::span<const std::byte>> bytes, std::int64_t deadline);
	void start_firmware();
	void set_down(std::string text);
	void check_limits(const oac_identify &found) const;
	void ring_admin(std::uint32_t tail);
	void require_firmware() const;
	void look_for_firmware();
	[[noreturn]] void not_running(int code) const;
	std::byte *doorbell_page(std::uint32_t queue, queue_record &record, bool is_trapped);
	std::shared_ptr<queue_record> find(std::uint32_t queue);
	queue_progress read_progress(std::uint32_t queue) const noexcept;
	usage_reading read_usage(std::uint32_t queue, queue_record &record) const noexcept;
	usage_reading live_usage(std::uint32_t context) noexcept;
	std::optional<std::uint32_t> take_context();
	void give_context(std::uint32_t context) noexcept;
	std::optional<std::uint32_t> take_queue();
	void give_queue(std::uint32_t queue) noexcept;
	void forget_queue(std::uint32_t queue) noexcept;
	void add_ended(std::uint32_t queue) noexcept;
	void forget_usage(std::uint32_t context) noexcept;
	int sleeper_of(queue_record &record) noexcept;
	bool wait_for_event(queue_record &record, std::int64_t deadline) noexcept;
	bool poll_for_event(int event_fd, std::int64_t deadline) noexcept;
	std::uint64_t read_log(std::uint32_t page, std::uint64_t start, std::span<std::byte> to);

	std::string name_;
	std::string node_;
	std::unique_ptr<emulated_card> emulated_;	/* outlives the bus */
	std::unique_ptr<bus> bus_;
	bus_addresses addresses_;
	interrupts interrupts_;
	std::uint32_t doorbell_pages_ = 0;
	bool is_shared_ = false;	/* doorbells are mapped and polled */
	admin_queue admin_;
	local_pool local_;

	std::atomic<std::uint32_t> groups_{ 0 };

	deadline_mutex life_mutex_;	/* held while the card is waited for */
	std::mutex facts_mutex_;	/* with life_mutex_ guards all below but what table_mutex_ does */
	oac_identify identity_{};	/* of the firmware that runs */
	bool is_running_ = false;
	std::string boot_text_;		/* why it does not run */
	id_pool contexts_;
	id_pool queues_;
	std::unique_ptr<host_memory> progress_;	/* struct oac_progress, one per queue id */
	std::map<std::uint32_t, usage_reading> spent_;	/* by ended queues of each context */
	usage_reading spent_before_;			/* by ended contexts */

	std::mutex table_mutex_;	/* guards table_ */
	std::map<std::uint32_t, std::shared_ptr<queue_record>> table_;
};

} // namespace accel::direct
