// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the library needs from a way to reach a card: backend/kernel (ioctls of the oac module) or
// backend/direct (a driver in user space). A backend opens, allocates, maps, creates queues and
// waits; rings, doorbells and address spaces are the library's own, the same for both.
//
// Conventions
//  - Functions throw accel::failure (error.hpp) unless they are noexcept; noexcept ones return 0 or
//    -Exxx and need no text. std::bad_alloc may pass. -Exxx values are those of accel.h: a backend
//    translates what it gets from below (ETIME -> ETIMEDOUT, say).
//  - Any thread, any time, concurrently; a backend locks for itself. The library makes sure that
//    a queue, buffer or context is not used once its destroy call has begun.
//  - Deadlines are absolute CLOCK_MONOTONIC nanoseconds; 0 = look once, INT64_MAX = for ever.
//  - Numbers that the card defines (OAC_STATE_*, OAC_ST_*, OAC_SENSOR_*, ...) pass unchanged.
//  - Once the card is lost, lose() has been called and every call gives ENODEV, for good.
//  - Calls with a context that a reset of the card ended, or with what was made in it, give ESTALE.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <hw/oac_health.h>

#include "fork.hpp"

namespace accel
{

/* What is known about a device now. Fields up to max_depth_log2 count only in OAC_STATE_RUNNING,
 * but for serial, lmem_size and security_version, which a card always knows. */
struct device_info {
	std::string model;
	std::uint64_t serial = 0;
	std::uint64_t lmem_size = 0;
	std::uint64_t features = 0;		/* OAC_FEATURE_* */
	std::array<std::uint64_t, 4> cmd_mask{};
	std::array<std::uint64_t, 4> op_mask{};
	std::array<std::uint32_t, 3> fw_version{};
	std::uint32_t security_version = 0;
	std::uint32_t engine_count = 0;
	std::uint32_t engine_clock_khz = 0;
	std::uint32_t power_limit_mw = 0;
	std::uint32_t max_contexts = 0;
	std::uint32_t max_queues = 0;
	std::uint32_t max_depth_log2 = 0;
	std::uint32_t state = 0;		/* OAC_STATE_* */
	std::uint32_t boot_fail = 0;		/* OAC_FAIL_*, counts in state FAILED */
	std::uint32_t boot_progress = 0;	/* permille */
	std::uint32_t reset_count = 0;
	std::uint32_t protocol = 0;		/* major << 16 | minor */
	std::int32_t numa_node = -1;		/* -1: unknown */
	std::uint32_t contexts = 0;		/* open now, as far as the backend can see */
	std::uint32_t queues = 0;
	std::uint64_t lmem_free = 0;
	bool has_user_submit = false;	/* queues whose doorbell the process has */
	bool has_wrap = false;		/* buffer_wrap() */
	bool has_sync = false;		/* queue_fence(), follow_*() */
	bool has_peer = false;		/* local memory of other cards may be reachable */
	std::string pci_address;		/* "0000:03:00.0"; empty: none on this host */
	std::string node;			/* "/dev/accel/accel0", a socket's path; empty: none */
};

/* Memory that can be mapped to contexts of the same device. Zeroed unless foreign, whole pages. */
struct buffer_memory {
	void *host = nullptr;	/* imported: may be null */
	std::size_t size = 0;
	std::uint64_t handle = 0;	/* the backend's own */
};

/* Flags of map(): the same bits as ACCEL_MAP_*, DRM_OAC_MAP_* and OAC_MAP_*. */
constexpr std::uint32_t MAP_CARD_READ = 0x1;
constexpr std::uint32_t MAP_CARD_WRITE = 0x2;

/* Rings at device addresses that are mapped already; completion ring and tail line are zeroed. */
struct queue_rings {
	std::uint64_t sq_va = 0;
	std::uint64_t cq_va = 0;
	std::uint64_t tail_va = 0;
	std::uint32_t depth_log2 = 0;
	std::uint32_t priority = 0;	/* 0..3, 1 is normal */
	std::uint32_t weight = 0;	/* 1..1024, 0 is normal */
	bool is_driver_submit = false;
};

/*
 * The queue's doorbell page, writable, valid until queue_destroy(). The library stores SQ_TAIL and
 * ARM there. shared: the page is memory that the card polls, so the library looks at ASLEEP after
 * each store and then calls ring() or arm() of the backend; a queue that submits through the driver
 * has a page of plain memory that says ASLEEP for ever. Not shared (kernel: a mapping of BAR4
 * whose stores always reach the card): those two are never called.
 */
struct queue_port {
	std::uint32_t queue = 0;	/* the backend's id */
	void *doorbell = nullptr;
	bool shared = false;
};

/* The driver's own view of a queue, which no user-written memory can change. */
struct queue_progress {
	std::uint32_t completed = 0;	/* free-running count */
	std::uint32_t state = 0;	/* OAC_QUEUE_* */
	std::uint32_t status = 0;	/* OAC_ST_* of the failure in state ERROR */
	std::uint32_t taken = 0;	/* commands begun, those completed included */
	std::uint64_t fault_addr = 0;
};

struct sensor_reading {
	std::uint16_t id = 0;		/* OAC_SENSOR_ID_* */
	std::uint16_t type = 0;		/* OAC_SENSOR_*: gives the unit */
	std::uint16_t absent = 0;	/* OAC_ABSENT_*; value counts when NO (0) */
	std::uint16_t flags = 0;	/* OAC_SENSOR_HAS_*: which limits there are */
	std::int64_t value = 0;		/* in the card's unit */
	std::int64_t warn = 0;
	std::int64_t critical = 0;
	std::uint64_t card_ns = 0;
	std::string label;
};

struct counter_reading {
	std::uint32_t id = 0;		/* OAC_COUNTER_* */
	std::uint64_t value = 0;
};

struct event_reading {
	std::uint64_t sequence = 0;
	std::uint64_t card_ns = 0;
	std::uint64_t argument = 0;
	std::uint32_t context = 0;
	std::uint16_t queue = 0;
	std::uint16_t code = 0;		/* OAC_EVENT_* */
	std::uint8_t severity = 0;	/* OAC_SEVERITY_* */
	std::uint8_t action = 0;	/* OAC_ACTION_* */
	std::uint64_t boot_ns = 0;	/* CLOCK_BOOTTIME; 0: read from the card */
	std::uint32_t generation = 0;
};

/* OAC_HEALTH_*, OAC_REASON_*, OAC_ACTION_*. */
struct health_reading {
	std::uint32_t state = 0;
	std::uint32_t reason = 0;
	std::uint32_t action = 0;
	std::uint32_t generation = 0;
	std::uint64_t since_ns = 0;
	std::uint64_t argument = 0;
	bool is_held = false;
	std::uint32_t rungs_allowed = 0;
};

struct rung_reading {
	std::uint64_t tried = 0;
	std::uint64_t helped = 0;
	std::uint64_t last_ns = 0;
	std::uint64_t longest_ns = 0;
	std::uint32_t last_cause = 0;	/* OAC_CAUSE_* */
};

/* A place in the stream of events of one card. */
class event_source
{
public:
	event_source() = default;
	event_source(const event_source &) = delete;
	event_source &operator=(const event_source &) = delete;
	virtual ~event_source() = default;
	/* Polls readable when there is something. */
	virtual int fd() const noexcept = 0;
	/* Without blocking: how many; 0 none now; -ENODEV once the card is gone and all is read. */
	virtual int read(std::span<event_reading> events) noexcept = 0;
};

struct telemetry_reading {
	std::vector<sensor_reading> sensors;
	std::vector<counter_reading> counters;
};

/* Who uses the card: fields as in struct accel_client. */
struct client_reading {
	std::uint64_t id = 0;
	std::int32_t pid = 0;
	std::uint32_t uid = 0;
	std::uint32_t contexts = 0;
	std::uint32_t queues = 0;
	std::uint64_t host_bytes = 0;
	std::uint64_t local_bytes = 0;
	std::uint64_t pinned_bytes = 0;
	std::uint64_t compute_ns = 0;
	std::uint64_t copy_ns = 0;
	std::uint64_t commands = 0;
};

/* What a context spent; what it holds is the library's own knowledge. */
struct usage_reading {
	std::uint64_t compute_ns = 0;
	std::uint64_t copy_ns = 0;
	std::uint64_t commands = 0;
	std::uint64_t errors = 0;
};

using epoch_counter = std::atomic<std::uint32_t>;

/* One opened device: one accel_device has exactly one, and destroys it last. */
class backend : public fork_member
{
public:
	backend() noexcept = default;
	backend(const backend &) = delete;
	backend &operator=(const backend &) = delete;
	virtual ~backend() = default;

	/* "kernel" or "direct": ACCEL_STRING_BACKEND. */
	virtual const char *kind() const noexcept = 0;
	/* As in the list: "/dev/accel/accel0", "emu:3", "socket:/run/card0.sock". For error texts. */
	virtual const std::string &name() const noexcept = 0;
	/*
	 * Read afresh at each call, as far as the card answers at once; else as it was when it last
	 * did, or as the driver left it. Works without firmware. ENODEV.
	 */
	virtual device_info info() = 0;
	/* The same, but state, boot_*, and reset_count need not be afresh. */
	virtual device_info known() { return info(); }

	/* ENOSPC, EHOSTDOWN. Destroying destroys what is left in it, maps and queues. */
	virtual std::uint32_t context_create() = 0;
	virtual void context_destroy(std::uint32_t context) noexcept = 0;
	virtual usage_reading context_usage(std::uint32_t context) = 0;

	/* size is whole pages, not 0. The memory is not mapped to any context when it is freed. */
	virtual buffer_memory buffer_alloc(std::size_t size) = 0;
	/* Local memory of the card, host through its window. ENOSPC, EDQUOT, EOPNOTSUPP. */
	virtual buffer_memory buffer_alloc_local(std::size_t size) = 0;
	/* The caller's pages, aligned and whole. host stays what it was. EFAULT, EDQUOT, EOPNOTSUPP. */
	virtual buffer_memory buffer_wrap(void *host, std::size_t size, bool is_read_only) = 0;
	/* A descriptor, the caller's. EOPNOTSUPP. */
	virtual int buffer_export(const buffer_memory &memory) = 0;
	/* fd stays the caller's. EINVAL, EOPNOTSUPP. */
	virtual buffer_memory buffer_import(int fd) = 0;
	virtual void buffer_free(const buffer_memory &memory) noexcept = 0;

	/*
	 * [offset, offset + size) of the buffer at device address va, which the library chose and
	 * which is free. All page aligned. ENOSPC: out of segments.
	 */
	virtual void map(std::uint32_t context, const buffer_memory &memory, std::size_t offset,
			 std::size_t size, std::uint64_t va, std::uint32_t flags) = 0;
	/* Exactly one earlier map. After a failure the library treats the range as still mapped. */
	virtual void unmap(std::uint32_t context, std::uint64_t va, std::size_t size) = 0;

	/* ENOSPC, EPERM (priority). */
	virtual queue_port queue_create(std::uint32_t context, const queue_rings &rings) = 0;
	virtual void queue_destroy(std::uint32_t queue) noexcept = 0;
	/* Shared doorbells, driver-submit queues: the same store again, as an access that wakes the card. */
	virtual int ring(std::uint32_t queue, std::uint32_t sq_tail) noexcept = 0;
	virtual int arm(std::uint32_t queue, std::uint64_t arm_word) noexcept = 0;
	/*
	 * Sleeps until completions != seen or the queue is in state ERROR; may return early. The
	 * library has armed the interrupt, looks again afterwards and calls again. 0 with *progress
	 * set, -ETIMEDOUT (*progress is set too), -ESTALE (*progress is the last there is: the card
	 * has let go of the queue), -EHOSTDOWN or -ENODEV.
	 */
	virtual int queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
			       queue_progress *progress) noexcept = 0;
	/*
	 * An eventfd (EFD_NONBLOCK) that each interrupt of the queue signals, the backend's own,
	 * the same at every call, valid until queue_destroy(). May be made at the first call. An
	 * event more than there were interrupts is allowed. The user of the queue reads it.
	 */
	virtual int queue_event_fd(std::uint32_t queue) = 0;

	/*
	 * A fence for "completions of the queue reach count" into a DRM syncobj: into point of it, or
	 * as its one fence (0). EOPNOTSUPP: no such thing here.
	 */
	virtual void queue_fence(std::uint32_t queue, std::uint32_t count, int syncobj_fd,
				 std::uint64_t point) = 0;
	/* The same as a sync_file, the caller's. */
	virtual int queue_sync_file(std::uint32_t queue, std::uint32_t count) = 0;
	/* The fence that is at a point of a syncobj now, as a sync_file, the caller's. */
	virtual int sync_file_of(int syncobj_fd, std::uint64_t point) = 0;
	/* Raises the word at offset to value once the fence signals without error. */
	virtual void follow_sync_file(const buffer_memory &memory, std::size_t offset,
				      std::uint64_t value, int sync_file_fd) = 0;

	virtual std::vector<client_reading> clients() = 0;
	/* Until the deadline, where the backend can wait for less than it takes: ETIMEDOUT. */
	virtual telemetry_reading telemetry(std::int64_t deadline) = 0;
	/* Events with sequence >= from, oldest first, up to what fits. Returns how many. */
	virtual std::size_t events(std::uint64_t from, std::span<event_reading> events) = 0;

	/*
	 * Boots another image and returns when it runs. EPERM, EBUSY (contexts are open), EBADMSG
	 * (refused; info() then has state FAILED and boot_fail; the text says why), ETIMEDOUT.
	 */
	virtual void firmware_load(std::span<const std::byte> image, std::int64_t deadline) = 0;

	/* Waits neither for the card nor for its clients; works on a lost card. */
	virtual health_reading health() = 0;
	virtual std::array<rung_reading, OAC_RUNG_COUNT> rungs() = 0; /* by OAC_RUNG_* */
	virtual std::unique_ptr<event_source> event_stream(std::uint64_t from) = 0;
	/* Until the card works: see accel_device_recover(). */
	virtual void recover(std::int64_t deadline) = 0;
	virtual void reset(std::uint32_t rung, std::int64_t deadline) = 0;
	virtual std::uint64_t self_test(std::int64_t deadline) = 0;
	/* OAC_LOST_* */
	virtual std::uint32_t context_lost(std::uint32_t context) = 0;
	/*
	 * Moves when contexts or queues may have been lost; EPOCH_LOST for good when the card is. Read
	 * by submit, and by reap when there is nothing to reap: one load. Who sees it moved asks after
	 * its own queue or context. Moved once the last progress of lost queues is known.
	 */
	static constexpr std::uint32_t EPOCH_LOST = UINT32_MAX;
	const std::atomic<std::uint32_t> &epoch() const noexcept { return *epoch_; }
	/* One further, unless it is at its end. */
	static void move(epoch_counter &epoch) noexcept
	{
		std::uint32_t now = epoch.load(std::memory_order_relaxed);
		while (now != EPOCH_LOST &&
		       !epoch.compare_exchange_weak(now, now + 2 >= EPOCH_LOST ? 0 : now + 1,
						    std::memory_order_release)) {}
	}
	bool is_lost() const noexcept
	{
		return epoch_->load(std::memory_order_relaxed) == EPOCH_LOST;
	}

	/* A descriptor that polls POLLHUP or POLLERR once the card is lost; -1: there is none. */
	virtual int lost_fd() const noexcept { return -1; }
	/*
	 * A descriptor that becomes readable anew, for who polls it by its edges, when the epoch moves
	 * or may be about to; nobody reads it. -1: there is none.
	 */
	virtual int change_fd() noexcept { return -1; }
	/*
	 * Moves the epoch if there is reason to and nobody noticed. Called by waits for timelines between two
	 * sleeps, and, for a program that polls for completions and calls nothing else, by reap once in
	 * a long while of finding nothing.
	 */
	virtual void look() noexcept {}

	/*
	 * In the child of a fork: closes what would keep the card busy, by close() alone, since the
	 * parent goes on using the same open files. No other call follows, not even the destructor.
	 */
	void abandon() noexcept override { lose(); }

protected:
	/* Several handles of one card may share an epoch, which outlives them. */
	explicit backend(epoch_counter &shared) noexcept : epoch_(&shared) {}
	void lose() noexcept { epoch_->store(EPOCH_LOST, std::memory_order_relaxed); }
	void move_epoch() noexcept { move(*epoch_); }

private:
	epoch_counter own_epoch_{ 0 };
	epoch_counter *epoch_ = &own_epoch_;
};

/* A card that could be opened. */
struct listed_card {
	std::string name;		/* what open() of its backend takes: a node, "emu:0", ... */
	std::string pci_address;	/* empty: unknown */
	std::vector<std::string> aliases; /* further names of the same card, such as other nodes */
};

/*
 * Built in when libaccel/backend/kernel has sources (ACCEL_KERNEL_BACKEND is then defined).
 * list(): /dev/accel/accelN and render nodes that belong to oac, in order of number, found without
 * opening them where possible; no card, no module, no /dev: empty. open(): ENODEV no such node or
 * not oac, EACCES, EPROTO. Serial numbers are looked up by the library through open() and info().
 */
namespace kernel
{
std::vector<listed_card> list();
std::unique_ptr<backend> open(const std::string &node);
} // namespace kernel

/* Cards in this process (ACCEL_EMU) or behind sockets (ACCEL_SOCKETS): "emu:N", "socket:PATH". */
namespace direct
{
std::vector<listed_card> list_emulated(unsigned count);
std::vector<listed_card> list_sockets(const std::string &directory);
std::unique_ptr<backend> open(const std::string &name);
} // namespace direct

} // namespace accel
