// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events of one card and of its driver in one stream: the last KEPT of them, numbered from 1, and
// the places of those who read it. Any thread. Knows no card.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "backend.hpp"

namespace accel::direct
{

class event_log : public std::enable_shared_from_this<event_log>
{
public:
	static constexpr std::size_t KEPT = 4096;

	/* Numbers it; boot_ns is set here. Wakes who waits. */
	void add(event_reading event);
	/* An event of the driver; severity and action are those of the list. */
	void add(std::uint16_t code, std::uint64_t argument, std::uint32_t generation,
		 std::uint32_t context = 0, std::uint16_t queue = 0);
	/* No more will come. */
	void close() noexcept;
	/* from as in accel_event_stream_open(). */
	std::unique_ptr<event_source> open(std::uint64_t from);

private:
	class reader;

	std::mutex mutex_;	/* guards all below */
	std::deque<event_reading> events_;	/* the last has number last_ */
	std::uint64_t last_ = 0;
	bool is_closed_ = false;
	std::vector<reader *> readers_;
};

} // namespace accel::direct
