// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An event as the library passes it on, from any of the structs that carry one: the card's own, and
// those of the kernel's ABI.
#pragma once

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
	event.severity = raw.severity;
	event.action = raw.action;
	return event;
}

} // namespace accel
