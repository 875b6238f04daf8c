// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An event as the library passes it on, from any of the structs that carry one: the card's own, and
// those of the kernel's ABI.
#pragma once

#include <algorithm>

#include <hw/oac_telemetry.h>

#include "backend.hpp"

namespace accel
{

template <typename Raw>
event_reading event_of(const Raw &raw)
{
	event_reading event;

	event.sequence = raw.seq;
	event.card_ns = raw.card_ns;
	event.argument = raw.arg;
	event.context = raw.context;
	event.queue = raw.queue;
	event.code = raw.code;
	/* Of a list each: what is not in it counts as the worst, and has no remedy. */
	event.severity = std::min<std::uint8_t>(raw.severity, OAC_SEVERITY_CARD_FATAL);
	event.action = raw.action <= OAC_ACTION_REPLACE_CARD ? raw.action : OAC_ACTION_NONE;
	return event;
}

} // namespace accel
