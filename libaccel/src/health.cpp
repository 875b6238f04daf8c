// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's health and recovery: what state a card is in, what was done about it, and asking for
// more. Numbers and their words are those of include/hw/oac_health.h.
#include <array>

#include <hw/oac_health.h>

#include "clock.hpp"
#include "codes.hpp"
#include "device.hpp"

using accel::failure;
using accel::guard;

static_assert(ACCEL_RUNG_COUNT == OAC_RUNG_COUNT && ACCEL_RUNG_SOFT_RESET == OAC_RUNG_SOFT_RESET &&
	      ACCEL_RUNG_WEDGED == OAC_RUNG_WEDGED);
static_assert(ACCEL_LOST_INNOCENT == OAC_LOST_INNOCENT && ACCEL_LOST_GUILTY == OAC_LOST_GUILTY);

namespace
{

struct word {
	std::uint32_t number;
	std::string name;	/* in lower case */
	const char *text;
};

using word_list = std::vector<word>;

const char *name_in(const word_list &words, std::uint32_t number)
{
	for (const word &one : words) {
		if (one.number == number)
			return one.name.c_str();
	}
	return "unknown_number";
}

const char *text_in(const word_list &words, std::uint32_t number)
{
	for (const word &one : words) {
		if (one.number == number)
			return one.text;
	}
	return "a number that this library does not know";
}

const word_list &states()
{
#define X(name, text) { OAC_HEALTH_##name, accel::lower(#name), text },
	static const word_list words{ OAC_HEALTHS(X) };
#undef X
	return words;
}

const word_list &reasons()
{
#define X(name, state, action, text) { OAC_REASON_##name, accel::lower(#name), text },
	static const word_list words{ OAC_REASONS(X) };
#undef X
	return words;
}

const word_list &actions()
{
#define X(name, text) { OAC_ACTION_##name, accel::lower(#name), text },
	static const word_list words{ OAC_ACTIONS(X) };
#undef X
	return words;
}

const word_list &rungs()
{
#define X(name, text) { OAC_RUNG_##name, accel::lower(#name), text },
	static const word_list words{ OAC_RUNGS(X) };
#undef X
	return words;
}

const word_list &causes()
{
#define X(name, text) { OAC_CAUSE_##name, accel::lower(#name), text },
	static const word_list words{ OAC_CAUSES(X) };
#undef X
	return words;
}

void check_timeout(std::int64_t timeout, const char *call)
{
	if (!accel::is_timeout(timeout))
		throw failure(EINVAL, std::string(call) + ": the timeout must not be negative");
}

} // namespace

const char *accel_health_state_name(uint32_t state)
{
	return name_in(states(), state);
}

const char *accel_health_state_text(uint32_t state)
{
	return text_in(states(), state);
}

const char *accel_health_reason_name(uint32_t reason)
{
	return name_in(reasons(), reason);
}

const char *accel_health_reason_text(uint32_t reason)
{
	return text_in(reasons(), reason);
}

const char *accel_health_action_name(uint32_t action)
{
	return name_in(actions(), action);
}

const char *accel_health_action_text(uint32_t action)
{
	return text_in(actions(), action);
}

const char *accel_rung_name(uint32_t rung)
{
	return name_in(rungs(), rung);
}

const char *accel_rung_text(uint32_t rung)
{
	return text_in(rungs(), rung);
}

const char *accel_cause_name(uint32_t cause)
{
	return name_in(causes(), cause);
}

const char *accel_cause_text(uint32_t cause)
{
	return text_in(causes(), cause);
}

int accel_device_health(accel_device *device, struct accel_health *health)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(health, "health");
		const accel::health_reading now = device->backend->health();
		*health = { now.state,	  now.reason,	now.action,  now.generation,
			    now.since_ns, now.argument, now.is_held, now.rungs_allowed };
		return 0;
	});
}

int accel_device_rung(accel_device *device, enum accel_rung rung,
		      struct accel_rung_history *history)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(history, "history");
		if (static_cast<unsigned>(rung) >= ACCEL_RUNG_COUNT)
			throw failure(EINVAL, "accel_device_rung: there is no such rung; pass "
					      "ACCEL_RUNG_*");
		const accel::rung_reading one = device->backend->rungs()[rung];
		*history = { one.tried, one.helped, one.last_ns, one.longest_ns, one.last_cause, 0 };
		return 0;
	});
}

int accel_device_recover(accel_device *device, int64_t timeout)
{
	return guard([&] {
		accel::require(device, "device");
		check_timeout(timeout, "accel_device_recover");
		device->backend->recover(accel::deadline_after(timeout));
		return 0;
	});
}

int accel_device_reset(accel_device *device, enum accel_rung rung, int64_t timeout)
{
	return guard([&] {
		accel::require(device, "device");
		check_timeout(timeout, "accel_device_reset");
		if (rung < ACCEL_RUNG_SOFT_RESET || rung > ACCEL_RUNG_FIRMWARE)
			throw failure(EINVAL, "accel_device_reset: only ACCEL_RUNG_SOFT_RESET to "
					      "ACCEL_RUNG_FIRMWARE can be asked for");
		if (timeout == 0)
			throw failure(ETIMEDOUT, "accel_device_reset: no card resets in no time; "
						 "nothing was changed, allow some seconds");
		device->backend->reset(rung, accel::deadline_after(timeout));
		return 0;
	});
}

int accel_device_self_test(accel_device *device, uint64_t *failed, int64_t timeout)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(failed, "failed");
		check_timeout(timeout, "accel_device_self_test");
		if (timeout == 0)
			throw failure(ETIMEDOUT, "accel_device_self_test: no card tests itself in "
						 "no time; allow some seconds");
		*failed = device->backend->self_test(accel::deadline_after(timeout));
		return 0;
	});
}
