// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One card, driven in user space: boot, admin queue, ids, queues, memory, and bringing it back when
// it misbehaves. Shared by all handles of this process that opened it (card_registry.hpp); a handle
// is device.hpp. Everything the card says is checked here or below.
//
// A thread of its own looks after the card (card_watch.cpp) and recovers it (card_recovery.cpp).
// What was made before a reset stays known as lost until its owner destroys it.
//
// Lock order: work_mutex_, life_mutex_, then the locks inside admin_queue, interrupts and
// bus_addresses; facts_mutex_, then table_mutex_, are innermost and held for moments only. What
// changes by the card's answers is changed with both life_mutex_ and facts_mutex_ and read with
// either, so that who only looks never waits for the card.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "admin_queue.hpp"
#include "backend.hpp"
#include "boot.hpp"
#include "bus.hpp"
#include "deadline_mutex.hpp"
#include "emulator.hpp"
#include "event_log.hpp"
#include "health_board.hpp"
#include "host_memory.hpp"
#include "id_pool.hpp"
#include "interrupts.hpp"
#include "local_memory.hpp"
#include "patience.hpp"
#include "watch_thread.hpp"

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
	int change_fd() const noexcept { return change_event_.get(); }
	/* Of all handles. */
	epoch_counter &epoch() noexcept { return epoch_; }

	device_info info();
	std::unique_ptr<host_memory> allocate(std::size_t size);
	std::unique_ptr<host_memory> import(int file);
	std::unique_ptr<local_memory> allocate_local(std::size_t size);

	/* group: clients that share the card, see oac_admin_context_create. */
	std::uint32_t next_group() noexcept { return groups_.fetch_add(1) + 1; }
	std::uint32_t context_create(std::uint32_t group);
	void context_destroy(std::uint32_t context) noexcept;
	std::uint32_t context_lost(std::uint32_t context);
	usage_reading context_usage(std::uint32_t context);
	/* target: a bus address, or with local an offset in it. */
	void map(std::uint32_t context, std::uint64_t target, std::size_t size, std::uint64_t va,
		 std::uint32_t flags, const local_memory *local);
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

	/* These wait for nothing. */
	health_reading health() const { return health_.read(); }
	std::array<rung_reading, OAC_RUNG_COUNT> rungs() const { return health_.rungs(); }
	std::unique_ptr<event_source> event_stream(std::uint64_t from) { return log_->open(from); }
	void recover(std::int64_t deadline);
	void reset(std::uint32_t rung, std::int64_t deadline);
	std::uint64_t self_test(std::int64_t deadline);

	/* Of buffers of the API; kept by the handles. */
	std::atomic<std::uint64_t> host_bytes{ 0 };

private:
	struct queue_record;
	/* What the card knows a context by, and how it ended. */
	struct context_record {
		std::uint32_t id = 0;
		std::uint32_t session = 0;
		std::uint32_t lost = OAC_LOST_NO;
		bool is_orphan = false;	/* as a queue's */
	};
	/* What is wrong, and who is to blame. */
	struct trouble {
		std::uint32_t cause = OAC_CAUSE_NONE;
		std::vector<std::uint32_t> queues;	/* that hang */
		std::set<std::uint32_t> guilty;		/* their contexts */
	};
	using work_lock = std::unique_lock<deadline_mutex>;
	using image_bytes = std::optional<std::vector<std::byte>>;

	/* life_mutex_, for as long as what this gives lives. Throws ETIMEDOUT. */
	deadline_lock hold()
	{
		return { life_mutex_, patience::within(DEFAULT_TIMEOUT_NS), "card " + name_ };
	}
	void boot_as_found() noexcept;
	std::uint32_t boot(const image_bytes &image, std::int64_t deadline);
	void start_firmware();
	void set_down(std::string text);
	void check_limits(const oac_identify &found) const;
	void ring_admin(std::uint32_t tail);
	/* The first under life_mutex_ or facts_mutex_, the second not. */
	void require_firmware() const;
	void look_for_firmware();
	[[noreturn]] void not_running(int code) const;
	[[noreturn]] void stale(const char *what) const;
	/* Throws ESTALE for a lost one, EINVAL. */
	context_record live(std::uint32_t context);
	std::byte *doorbell_page(std::uint32_t queue, queue_record &record, bool is_trapped);
	std::shared_ptr<queue_record> find(std::uint32_t queue);
	std::map<std::uint32_t, std::shared_ptr<queue_record>> queues();
	oac_progress *line_of(std::uint32_t queue) const noexcept;
	queue_progress read_progress(std::uint32_t queue) const noexcept;
	usage_reading read_usage(std::uint32_t queue, queue_record &record) const noexcept;
	usage_reading live_usage(std::uint32_t context) noexcept;
	std::optional<std::uint32_t> take_context();
	void give_context(std::uint32_t context) noexcept;
	std::optional<std::uint32_t> take_queue();
	void give_queue(std::uint32_t queue) noexcept;
	void add_ended(std::uint32_t queue) noexcept;
	void forget_usage(std::uint32_t context) noexcept;
	int sleeper_of(queue_record &record) noexcept;
	bool wait_for_event(queue_record &record, std::int64_t deadline) noexcept;
	bool poll_for_event(int event_fd, std::int64_t deadline) noexcept;
	std::uint64_t read_log(std::uint32_t page, std::uint64_t start, std::span<std::byte> to,
			       std::int64_t timeout_ns = 0);

	/* The watch: card_watch.cpp. */
	std::int64_t look_after() noexcept;
	void check_up(std::int64_t now);
	trouble find_trouble(std::int64_t now);
	std::uint32_t look_at_registers(std::uint32_t status);
	bool is_silent(std::int64_t now);
	void look_at_queues(std::int64_t now, trouble &found);
	bool has_moved(std::uint32_t queue, queue_record &record, std::int64_t now) noexcept;
	void heal_queue(std::uint32_t queue, queue_record &record) noexcept;
	void take_events();
	void take_event(const oac_event &event);
	void end_of_card() noexcept;
	void forget_signs();

	/* Recovery, under work_mutex_: card_recovery.cpp. */
	work_lock lock_work(std::int64_t deadline, const char *what);
	bool recover_from(const trouble &what, std::uint32_t first, bool is_only,
			  std::int64_t deadline);
	std::uint32_t ease(std::uint32_t queue, std::uint32_t cause);
	bool has_let_go(std::uint32_t queue) const;
	void give_up(const trouble &what);
	[[noreturn]] void not_recovered();
	bool restart_by(std::uint32_t rung, const trouble &what, std::int64_t deadline);
	void bring_to_rom(std::uint32_t rung, std::int64_t deadline);
	bool try_rung(std::uint32_t rung, std::uint32_t cause, const std::function<bool()> &body);
	void stop_firmware(const char *why);
	void lose_queues(const std::function<std::uint32_t(const queue_record &)> &lost) noexcept;
	void lose_context(std::uint32_t context, std::uint32_t how) noexcept;
	void bury_orphans() noexcept;
	void bury_queue(std::uint32_t queue) noexcept;
	void bury_context(std::uint32_t context) noexcept;
	void lose_all(const std::set<std::uint32_t> &guilty) noexcept;
	void tell_change() noexcept;

	std::string name_;
	std::string node_;
	std::unique_ptr<emulated_card> emulated_;	/* outlives the bus */
	std::unique_ptr<bus> bus_;
	bus_addresses addresses_;
	interrupts interrupts_;
	std::shared_ptr<event_log> log_ = std::make_shared<event_log>();
	health_board health_;
	std::uint32_t doorbell_pages_ = 0;
	bool is_shared_ = false;	/* doorbells are mapped and polled */
	std::unique_ptr<host_memory> progress_;	/* struct oac_progress, one per doorbell page */
	admin_queue admin_;
	local_pool local_;

	std::atomic<std::uint32_t> groups_{ 0 };
	epoch_counter epoch_{ 0 };
	unique_fd change_event_;	/* written when the epoch moves, never read */
	std::atomic<bool> is_running_{ false };	/* changed under life_mutex_ and facts_mutex_ */
	std::atomic<std::uint32_t> admin_cause_{ OAC_CAUSE_NONE }; /* why a session ended */
	std::atomic<bool> has_orphans_{ false };
	std::atomic<bool> has_worked_{ false };	/* a command has ended since the last reset */

	deadline_mutex work_mutex_;	/* one of recovery, reset, firmware load, or a look; guards: */
	image_bytes image_;			/* that ran last; nothing: the one in flash */
	std::int64_t hang_ns_ = 0;
	std::int64_t look_not_before_ = 0;
	std::int64_t next_beat_ns_ = 0;
	std::uint32_t resets_expected_ = 0;
	std::uint32_t heartbeat_ = 0;
	unsigned missed_beats_ = 0;
	std::uint32_t last_rung_ = OAC_RUNG_ABORT;	/* that reset the card and helped */
	std::uint64_t next_event_ = 1;		/* of the card's log */
	bool has_event_register_ = true;
	bool must_restart_ = false;		/* it cooled down, but its engines stand still */
	bool is_over_ = false;			/* its end is told */

	deadline_mutex life_mutex_;	/* held while the card is waited for */
	std::mutex facts_mutex_;	/* with life_mutex_ guards all below but what table_mutex_ does */
	oac_identify identity_{};	/* of the firmware that runs */
	std::string boot_text_;		/* why it does not run */
	id_pool contexts_;
	id_pool queues_;		/* lost ones keep theirs: somebody may still ring them */
	std::map<std::uint32_t, usage_reading> spent_;	/* by ended queues of each context */
	usage_reading spent_before_;			/* by ended contexts */

	std::mutex table_mutex_;	/* guards all below */
	std::map<std::uint32_t, std::shared_ptr<queue_record>> table_;
	std::map<std::uint32_t, context_record> context_table_;

	std::optional<watch_thread> watch_;	/* last: ends first */
};

} // namespace accel::direct
