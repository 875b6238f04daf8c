// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's memory of what happened: counters since power-on, a ring of numbered events, and what
// firmware said. All outlive a bus reset. Severity and action of an event come from the catalogue.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <hw/oac_admin.h>
#include <hw/oac_telemetry.h>

namespace oac::emu
{

class counters
{
public:
	void add(unsigned id, std::uint64_t amount) { values_.at(id) += amount; }
	void set(unsigned id, std::uint64_t value) { values_.at(id) = value; }
	std::uint64_t get(unsigned id) const { return values_.at(id); }
	std::vector<oac_counter> log() const;

private:
	std::array<std::uint64_t, OAC_COUNTER_CRASHES + 1> values_{};
};

class event_log
{
public:
	/* Events kept before any firmware says how many. */
	static constexpr std::size_t ROM_CAPACITY = 64;

	struct origin {
		std::uint32_t context = 0;
		std::uint16_t queue = 0;
	};

	void set_capacity(std::size_t capacity);
	void add(std::uint16_t code, std::uint64_t arg, std::uint64_t card_ns, origin from);
	/* At most limit events from sequence number first on, oldest first. */
	std::vector<oac_event> log(std::uint64_t first, std::size_t limit) const;
	std::uint64_t last_seq() const { return next_seq_ - 1; }

private:
	std::size_t capacity_ = ROM_CAPACITY;
	std::uint64_t next_seq_ = 1;
	std::deque<oac_event> events_;
};

class firmware_log
{
public:
	/* printf(), cut off where the contract ends a line. */
	[[gnu::format(printf, 3, 4)]] void say(std::uint64_t card_ns, const char *format, ...);
	std::vector<oac_fw_line> log(std::uint64_t first, std::size_t limit) const;

private:
	std::uint64_t next_seq_ = 1;
	std::deque<oac_fw_line> lines_;
};

} // namespace oac::emu
