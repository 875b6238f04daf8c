// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See admin_queue.hpp.
#include "admin_queue.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/eventfd.h>

#include <hw/oac_health.h>
#include <hw/oac_regs.h>

#include "clock.hpp"
#include "codes.hpp"
#include "error.hpp"
#include "patience.hpp"

namespace accel::direct
{

namespace
{

constexpr std::uint32_t DEPTH = 16;
constexpr std::size_t CQ_OFFSET = OAC_PAGE_SIZE;
constexpr std::size_t DATA_OFFSET = 2 * OAC_PAGE_SIZE;
constexpr std::int64_t SPIN_NS = 20 * NS_PER_US;
/* No answer for so long: is the card there at all? */
constexpr std::int64_t LOOK_NS = 100 * NS_PER_MS;

static_assert(DEPTH * sizeof(oac_admin_cmd) <= OAC_PAGE_SIZE);
static_assert(DEPTH >= OAC_ADMIN_DEPTH_MIN && DEPTH <= OAC_ADMIN_DEPTH_MAX);

void write_address(bus &card, std::uint32_t low_register, std::uint64_t address)
{
	card.write32(low_register, static_cast<std::uint32_t>(address));
	card.write32(low_register + 4, static_cast<std::uint32_t>(address >> 32));
}

} // namespace

admin_queue::admin_queue(bus_addresses &addresses, int event_fd, std::string card, doorbell ring,
			 reporter failed, std::int64_t timeout_ns)
	: bus_(addresses.target()), event_fd_(event_fd), timeout_ns_(timeout_ns),
	  card_(std::move(card)), ring_(std::move(ring)), failed_(std::move(failed)),
	  memory_(addresses, DATA_OFFSET + DATA_SIZE)
{
}

void admin_queue::enable()
{
	const std::lock_guard lock(mutex_);
	std::memset(memory_.data(), 0, DATA_OFFSET);
	tail_ = 0;
	write_address(bus_, OAC_REG_ADMIN_SQ_LO, memory_.bus_address());
	write_address(bus_, OAC_REG_ADMIN_CQ_LO, memory_.bus_address() + CQ_OFFSET);
	bus_.write32(OAC_REG_ADMIN_DEPTH, DEPTH);
	bus_.write32(OAC_REG_ADMIN_CONTROL, OAC_ADMIN_CONTROL_ENABLE_MASK);
	if (session_.fetch_add(1) == UINT32_MAX)
		session_.store(1);
	owed_until_ = 0;
	is_enabled_.store(true);
}

void admin_queue::stop()
{
	const deadline_lock lock(mutex_, patience::within(timeout_ns_), "card " + card_);
	is_enabled_.store(false);
}

void admin_queue::disable() noexcept
{
	is_enabled_.store(false);
	eventfd_write(event_fd_, 1);
}

void admin_queue::not_enabled() const
{
	throw failure(EHOSTDOWN,
		      "card " + card_ +
			      ": firmware is not running; wait with "
			      "accel_device_recover(), or load another with 'accelctl fw "
			      "load'");
}

std::uint64_t admin_queue::run(const char *what, oac_admin_cmd cmd,
			       std::span<const std::byte> data_in, std::span<std::byte> data_out)
{
	return run(what, cmd, data_in, data_out, {});
}

std::uint64_t admin_queue::run(const char *what, oac_admin_cmd cmd,
			       std::span<const std::byte> data_in, std::span<std::byte> data_out,
			       limits within)
{
	const std::int64_t timeout_ns = within.timeout_ns > 0 ? within.timeout_ns : timeout_ns_;
	const std::size_t size = std::max(data_in.size(), data_out.size());
	if (size > DATA_SIZE)
		throw failure(EINVAL, "card " + card_ + ": " + what + ": too much data at once");
	/* Those before us have as long as we have, and end when the session does. */
	const deadline_lock lock(mutex_, patience::within(timeout_ns), "card " + card_);
	if (bus_.is_dead())
		throw failure(ENODEV, "card " + card_ + ": it is lost; close and open it again");
	if (within.session != 0 && within.session != session_.load())
		throw failure(ESTALE, "card " + card_ + ": " + what + ": " + STALE_TEXT);
	if (!is_enabled_)
		not_enabled();
	collect_owed(what, timeout_ns);
	std::byte *data = memory_.data() + DATA_OFFSET;
	if (size > 0) {
		std::memset(data, 0, size);
		std::copy(data_in.begin(), data_in.end(), data);
		cmd.data_addr = memory_.bus_address() + DATA_OFFSET;
		cmd.data_size = static_cast<std::uint32_t>(size);
	}
	const std::uint64_t info = run_locked(what, cmd, timeout_ns);
	std::copy_n(data, data_out.size(), data_out.begin());
	return info;
}

std::uint64_t admin_queue::run_locked(const char *what, oac_admin_cmd &cmd, std::int64_t timeout_ns)
{
	cmd.cid = next_cid_++;
	std::memcpy(memory_.data() + (tail_ % DEPTH) * sizeof(cmd), &cmd, sizeof(cmd));
	/* Orders the entry before the doorbell; the card loads the doorbell with acquire. */
	std::atomic_thread_fence(std::memory_order_release);
	ring_(tail_ + 1);
	const std::int64_t limit = now_ns() + timeout_ns;
	const oac_completion done =
		wait(what, limit, std::min(limit, patience::within(timeout_ns)));
	tail_++;
	if (done.tag != cmd.cid || !is_status(done.status))
		fail(EPROTO, OAC_CAUSE_IMPLAUSIBLE,
		     std::string(what) + ": the card answered something that was not asked");
	if (done.status != OAC_ST_SUCCESS)
		throw failure(-status_result(done.status),
			      "card " + card_ + ": " + what + ": " + accel_code_text(done.status));
	return done.info;
}

/* The phase bit turns when the entry is written: 1 in the first pass over the ring. */
bool admin_queue::is_there() const noexcept
{
	auto *cq = reinterpret_cast<oac_completion *>(memory_.data() + CQ_OFFSET);
	const std::uint16_t expected = (tail_ / DEPTH + 1) & OAC_PHASE_MASK;
	const std::atomic_ref<__le16> phase(cq[tail_ % DEPTH].phase);
	return (phase.load(std::memory_order_acquire) & OAC_PHASE_MASK) == expected;
}

/* What a caller without patience left behind: its answer, and its hold on the data, end first. */
void admin_queue::collect_owed(const char *what, std::int64_t timeout_ns)
{
	if (owed_until_ == 0)
		return;
	wait(what, owed_until_, std::min(owed_until_, patience::within(timeout_ns)));
	owed_until_ = 0;
	tail_++;
}

/* limit: when the card should have answered; deadline: how long the caller waits for it. */
/* A card that is off the bus answers nothing any more; one that is slow gets no time from this. */
bool admin_queue::reads_all_ones(std::int64_t deadline)
{
	try {
		const patience no_longer(deadline);
		return bus_.read32(OAC_REG_STATUS) == OAC_REG_ALL_ONES;
	} catch (const failure &) {
		return bus_.is_dead();
	}
}

oac_completion admin_queue::wait(const char *what, std::int64_t limit, std::int64_t deadline)
{
	const std::int64_t start = now_ns();
	while (!is_there() && now_ns() - start < SPIN_NS) {}
	pollfd fds[2] = { { event_fd_, POLLIN, 0 }, { bus_.lost_fd(), POLLRDHUP, 0 } };
	while (!is_there()) {
		const time_left left(std::min(deadline, now_ns() + LOOK_NS));
		const int ready = ppoll(fds, 2, left.get(), nullptr);
		const bool is_off = ready > 0 && fds[1].revents;
		if (is_off || (ready == 0 && now_ns() < deadline && reads_all_ones(deadline))) {
			bus_.die();
			fail(ENODEV, OAC_CAUSE_GONE, std::string(what) + ": it is gone");
		}
		eventfd_t count;
		eventfd_read(event_fd_, &count);
		if (!is_enabled_ && !is_there())
			not_enabled();
		/* The clock, not ppoll(): a card may interrupt for ever and never answer. */
		if (now_ns() < deadline || is_there())
			continue;
		if (deadline < limit)
			leave(what, limit);
		else
			fail(ETIMEDOUT, OAC_CAUSE_ADMIN,
			     std::string(what) + ": it does not answer");
	}
	oac_completion done;
	std::memcpy(&done, memory_.data() + CQ_OFFSET + (tail_ % DEPTH) * sizeof(done),
		    sizeof(done));
	return done;
}

/* The card may answer yet: whoever comes next waits for that, and tells if it does not. */
void admin_queue::leave(const char *what, std::int64_t limit)
{
	owed_until_ = limit;
	throw failure(ETIMEDOUT,
		      "card " + card_ + ": " + what + ": no answer in time; allow more time");
}

void admin_queue::fail(int code, std::uint32_t cause, const std::string &text)
{
	is_enabled_ = false;
	failed_(cause);
	throw failure(code, "card " + card_ + ": " + text +
				    (code == ENODEV ? "; open it again" :
						      "; it is being recovered: see "
						      "accel_device_recover()"));
}

} // namespace accel::direct
