// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's event stream: waiting, on top of a backend's event source, which does not block.
#include <algorithm>
#include <array>

#include <poll.h>

#include "clock.hpp"
#include "device.hpp"
#include "events.hpp"

using accel::failure;
using accel::guard;

namespace
{

/* At once; who wants more reads again. */
constexpr std::size_t AT_ONCE = 64;

} // namespace

struct accel_event_stream {
	accel_event_stream(accel_device &of, std::uint64_t from)
		: device(&of), child(of.children), source(of.backend->event_stream(from))
	{
	}
	accel_device *device;
	accel::child_count child;
	std::unique_ptr<accel::event_source> source;
};

namespace
{

/* Takes what is there: how many, 0: nothing now. */
int take(accel_event_stream &stream, accel_event *events, int max)
{
	std::array<accel::event_reading, AT_ONCE> found;
	const std::size_t room = std::min<std::size_t>(found.size(), static_cast<std::size_t>(max));
	const int count = stream.source->read(std::span(found).first(room));
	if (count < 0)
		throw failure(-count,
			      accel::card_text(*stream.device->backend) +
				      (count == -ENODEV ?
					       ": it is gone, and all of its events are read" :
					       ": its events cannot be read; open the stream "
					       "anew"));
	std::transform(found.begin(), found.begin() + count, events, accel::event_of);
	return count;
}

int read(accel_event_stream &stream, accel_event *events, int max, std::int64_t timeout)
{
	const std::int64_t deadline = timeout == 0 ? 0 : accel::deadline_after(timeout);
	for (;;) {
		if (const int count = take(stream, events, max); count > 0)
			return count;
		pollfd fd{ stream.source->fd(), POLLIN, 0 };
		if (deadline != INT64_MAX && accel::now_ns() >= deadline)
			throw failure(ETIMEDOUT, accel::card_text(*stream.device->backend) +
							 ": no event in time");
		ppoll(&fd, 1, accel::time_left(deadline).get(), nullptr);
	}
}

} // namespace

int accel_event_stream_open(accel_device *device, uint64_t from, accel_event_stream **stream)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(stream, "stream");
		*stream = std::make_unique<accel_event_stream>(*device, from).release();
		return 0;
	});
}

void accel_event_stream_close(accel_event_stream *stream)
{
	if (!stream || accel::is_foreign(*stream->device))
		return;
	const accel::no_cancel whole;
	const std::unique_ptr<accel_event_stream> closed(stream);
}

int accel_event_stream_fd(accel_event_stream *stream, int *fd)
{
	return guard([&] {
		accel::require(stream, "stream");
		accel::require(fd, "fd");
		*fd = stream->source->fd();
		return 0;
	});
}

int accel_event_stream_read(accel_event_stream *stream, struct accel_event *events, int max,
			    int64_t timeout)
{
	return guard([&] {
		accel::require(stream, "stream");
		accel::require(events, "events");
		if (max < 1 || !accel::is_timeout(timeout))
			throw failure(EINVAL, "accel_event_stream_read: max must be 1 or more, and "
					      "the timeout not negative");
		return read(*stream, events, max, timeout);
	});
}
