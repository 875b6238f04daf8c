// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's admin queue: one command at a time, in order, each with a deadline. What the card
// writes back is checked; no answer, or one that makes no sense, ends the session with the firmware,
// and whoever looks after the card is told.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <span>
#include <string>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "bus.hpp"
#include "deadline_mutex.hpp"
#include "clock.hpp"
#include "host_memory.hpp"

namespace accel::direct
{

class admin_queue
{
public:
	static constexpr std::int64_t TIMEOUT_NS = 10 * NS_PER_S;
	/*
	 * ring: rings its doorbell in page 0; event_fd is vector 0's. failed: OAC_CAUSE_* of the end
	 * of a session, told with the queue's lock held. timeout_ns: of one command.
	 */
	using doorbell = std::function<void(std::uint32_t tail)>;
	using reporter = std::function<void(std::uint32_t cause)>;
	admin_queue(bus_addresses &addresses, int event_fd, std::string card, doorbell ring,
		    reporter failed, std::int64_t timeout_ns = TIMEOUT_NS);

	/* Once the firmware runs; the rings begin at 0. A session begins. */
	void enable();
	/* Before a reset that can wait for the command under way. Throws ETIMEDOUT. */
	void stop();
	/* Before one that cannot, and for good after a failed boot: who waits gets EHOSTDOWN. */
	void disable() noexcept;
	bool is_enabled() const noexcept { return is_enabled_.load(); }
	/* The number of the session: what was made in another one is lost. Never 0. */
	std::uint32_t session() const noexcept { return session_.load(); }

	/*
	 * Runs a command; cid and data_addr are set here. data_in goes to the card with it, data_out
	 * is what it wrote (empty: none). Returns completion.info. Throws EHOSTDOWN (not enabled, or
	 * not any more), ENODEV, ETIMEDOUT, EPROTO, or what the card's status means, what: "map" for
	 * the text. A card that does not answer in time is told of; where only the caller's patience
	 * ends, the next command waits for the answer before it begins.
	 */
	struct limits {
		std::uint32_t session = 0;	/* ESTALE in another one; 0: in any */
		std::int64_t timeout_ns = 0;	/* of this command; 0: of every one */
	};
	std::uint64_t run(const char *what, oac_admin_cmd cmd, std::span<const std::byte> data_in,
			  std::span<std::byte> data_out);
	std::uint64_t run(const char *what, oac_admin_cmd cmd, std::span<const std::byte> data_in,
			  std::span<std::byte> data_out, limits within);

	static constexpr std::size_t DATA_SIZE = 4 * OAC_PAGE_SIZE;

private:
	std::uint64_t run_locked(const char *what, oac_admin_cmd &cmd, std::int64_t timeout_ns);
	bool reads_all_ones(std::int64_t deadline);
	oac_completion wait(const char *what, std::int64_t limit, std::int64_t deadline);
	void collect_owed(const char *what, std::int64_t timeout_ns);
	bool is_there() const noexcept;
	[[noreturn]] void not_enabled() const;
	[[noreturn]] void leave(const char *what, std::int64_t limit);
	[[noreturn]] void fail(int code, std::uint32_t cause, const std::string &text);

	bus &bus_;
	int event_fd_;
	std::int64_t timeout_ns_;
	std::string card_;
	doorbell ring_;
	reporter failed_;
	std::atomic<bool> is_enabled_{ false };
	std::atomic<std::uint32_t> session_{ 1 };
	deadline_mutex mutex_;		/* guards all below, and the admin queue itself */
	host_memory memory_;		/* SQ page, CQ page, data */
	std::uint32_t tail_ = 0;	/* commands written = completions taken, between commands */
	std::uint16_t next_cid_ = 0;
	std::int64_t owed_until_ =
		0; /* when the answer at tail_ is due that nobody waits for; 0: none */
};

} // namespace accel::direct
