// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Health, recovery and events of a card. Programs include accel.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core.hpp"

namespace accel
{

using event = ::accel_event;
using rung = enum ::accel_rung;
using rung_history = ::accel_rung_history;
using lost = enum ::accel_lost;

/// What a card is good for now, in numbers of accel.h and in words.
struct health : ::accel_health {
	std::string_view state_name() const noexcept { return ::accel_health_state_name(state); }
	std::string_view state_text() const noexcept { return ::accel_health_state_text(state); }
	std::string_view reason_name() const noexcept { return ::accel_health_reason_name(reason); }
	std::string_view reason_text() const noexcept { return ::accel_health_reason_text(reason); }
	std::string_view action_name() const noexcept { return ::accel_health_action_name(action); }
	std::string_view action_text() const noexcept { return ::accel_health_action_text(action); }
	/// Commands can be given to it.
	bool is_working() const noexcept
	{
		return state_name() == "ok" || state_name() == "degraded";
	}
};

/// A place in the stream of events of a card and its driver. Borrows the device. One thread at a time.
class event_stream
{
public:
	/// from: first sequence number wanted; 1 = all that are kept, 0 = only what is to come.
	event_stream(::accel_device *of, std::uint64_t from)
	{
		::accel_event_stream *raw = nullptr;
		check(::accel_event_stream_open(of, from, &raw));
		handle_.reset(raw);
	}

	/// Waits for at least one: 1.., -ETIMEDOUT, or -ENODEV once the card is gone and all is read.
	int read(std::span<event> to, timeout t = {}) noexcept
	{
		return ::accel_event_stream_read(get(), to.data(), static_cast<int>(to.size()),
						 t.ns());
	}

	/// Readable when there is something to read; owned by the stream.
	int fd() const
	{
		int fd = -1;
		check(::accel_event_stream_fd(get(), &fd));
		return fd;
	}

	::accel_event_stream *get() const noexcept { return handle_.get(); }

private:
	detail::handle<::accel_event_stream, ::accel_event_stream_close> handle_;
};

} // namespace accel
