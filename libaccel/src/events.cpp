// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's events: what happened on the card, and what the codes mean.
#include <algorithm>

#include <hw/oac_health.h>

#include "device.hpp"
#include "events.hpp"

using accel::event_reading;
using accel::failure;
using accel::guard;

namespace
{

/* At once; a caller that wants more calls again from where this ended. */
constexpr int EVENTS_MAX = 4096;

struct event_meaning {
	const char *name;
	const char *text;
	unsigned action;
};

const event_meaning *meaning_of(std::uint32_t code)
{
	switch (code) {
#define X(name, severity, action, text) \
	case OAC_EVENT_##name: { \
		static constexpr event_meaning meaning{ #name, text, OAC_ACTION_##action }; \
		return &meaning; \
	}
		OAC_EVENTS(X)
		OAC_DRIVER_EVENTS(X)
#undef X
	default:
		return nullptr;
	}
}

} // namespace

accel_event accel::event_of(const event_reading &event) noexcept
{
	return { event.sequence, event.card_ns, event.argument,	  event.code,	 event.severity,
		 event.boot_ns,	 event.action,	event.generation, event.context, event.queue };
}

int accel_events_read(accel_device *device, uint64_t from, struct accel_event *events, int max)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(events, "events");
		if (max < 1)
			throw failure(EINVAL, "accel_events_read: max must be 1 or more");
		std::vector<event_reading> found(
			static_cast<std::size_t>(std::min(max, EVENTS_MAX)));
		const std::size_t count = device->backend->events(from, found);
		std::transform(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count),
			       events, accel::event_of);
		return static_cast<int>(count);
	});
}

const char *accel_event_name(uint32_t code)
{
	const event_meaning *meaning = meaning_of(code);
	return meaning ? meaning->name : nullptr;
}

const char *accel_event_text(uint32_t code)
{
	const event_meaning *meaning = meaning_of(code);
	return meaning ? meaning->text : nullptr;
}

const char *accel_event_action(uint32_t code)
{
	const event_meaning *meaning = meaning_of(code);
	if (!meaning)
		return nullptr;
	return accel_health_action_text(meaning->action);
}
