// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's admin queue: one command at a time, in order, each with a deadline. What the card
// writes back is checked; an answer that makes no sense means that the card is lost.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>

#include <hw/oac_admin.h>
#include <hw/oac_queue.h>

#include "bus.hpp"
#include "clock.hpp"
#include "deadline_mutex.hpp"
#include "host_memory.hpp"

namespace accel::direct
{

class admin_queue
{
public:
	static constexpr std::int64_t TIMEOUT_NS = 10 * NS_PER_S;
	/* ring: rings its doorbell in page 0; event_fd is vector 0's. timeout_ns: of one command. */
	using doorbell = std::function<void(std::uint32_t tail)>;
	admin_queue(bus_addresses &addresses, int event_fd, std::string card, doorbell ring,
		    std::int64_t timeout_ns = TIMEOUT_NS);

	/* Once the firmware runs; the rings begin at 0. */
	void enable();
	/* Before a reset: ends with the command that is under way. Throws ETIMEDOUT. */
	void stop();
	/* For good after a failed boot. */
	void disable() noexcept { is_enabled_ = false; }

	/*
	 * Runs a command; cid and data_addr are set here. data_in goes to the card with it, data_out
	 * is what it wrote (empty: none). Returns completion.info. Throws EHOSTDOWN (not enabled),
	 * ENODEV, ETIMEDOUT, EPROTO, or what the card's status means, what: "map" for the text. A card
	 * that does not answer in time is lost; where only the caller's patience ends, the queue is
	 * disabled until the next reset.
	 */
	std::uint64_t run(const char *what, oac_admin_cmd cmd, std::span<const std::byte> data_in,
			  std::span<std::byte> data_out);

	static constexpr std::size_t DATA_SIZE = 4 * OAC_PAGE_SIZE;

private:
	std::uint64_t run_locked(const char *what, oac_admin_cmd &cmd);
	oac_completion wait(const char *what);
	bool is_there() const noexcept;
	[[noreturn]] void lose(int code, const std::string &text);
	[[noreturn]] void give_up(const char *what, std::int64_t start);

	bus &bus_;
	int event_fd_;
	std::int64_t timeout_ns_;
	std::string card_;
	doorbell ring_;
	deadline_mutex mutex_;		/* guards all below, and the admin queue itself */
	host_memory memory_;		/* SQ page, CQ page, data */
	std::atomic<bool> is_enabled_{ false };
	std::uint32_t tail_ = 0;	/* commands written = completions taken, between commands */
	std::uint16_t next_cid_ = 0;
};

} // namespace accel::direct
