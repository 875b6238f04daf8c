// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's telemetry snapshot: the card's readings in SI units, under names that stay.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include <hw/oac_telemetry.h>

#include "clock.hpp"
#include "codes.hpp"
#include "device.hpp"

using accel::counter_reading;
using accel::failure;
using accel::guard;
using accel::sensor_reading;
using accel::telemetry_reading;

namespace
{

struct sensor {
	sensor_reading reading;
	std::string name;
};

struct counter {
	counter_reading reading;
	std::string name;
	const char *text;
};

struct unit {
	const char *name;
	double scale;	/* of the card's number */
};

unit unit_of(std::uint16_t type)
{
	switch (type) {
	case OAC_SENSOR_TEMPERATURE:
		return { "celsius", 1e-3 };
	case OAC_SENSOR_POWER:
		return { "watts", 1e-6 };
	case OAC_SENSOR_VOLTAGE:
		return { "volts", 1e-3 };
	case OAC_SENSOR_CURRENT:
		return { "amperes", 1e-3 };
	case OAC_SENSOR_CLOCK:
		return { "hertz", 1.0 };
	case OAC_SENSOR_LOAD:
		return { "ratio", 1e-6 };
	default:
		return { "unknown", 1.0 };
	}
}

std::string numbered(const char *what, unsigned id)
{
	char text[32];
	std::snprintf(text, sizeof(text), "%s_%#x", what, id);
	return text;
}

std::string sensor_name(std::uint16_t id)
{
	switch (id) {
#define X(name, type) \
	case OAC_SENSOR_ID_##name: \
		return accel::lower(#name);
		OAC_SENSOR_IDS(X)
#undef X
	default:
		return numbered("sensor", id);
	}
}

counter named(const counter_reading &reading)
{
	switch (reading.id) {
#define X(name, text) \
	case OAC_COUNTER_##name: \
		return { reading, accel::lower(#name), text };
		OAC_COUNTERS(X)
#undef X
	default:
		return { reading, numbered("counter", reading.id), "not known to this library" };
	}
}

const char *absence_text(std::uint16_t absent)
{
	switch (absent) {
#define X(name, text) \
	case OAC_ABSENT_##name: \
		return text;
		OAC_ABSENTS(X)
#undef X
	default:
		return "the card gives a reason that this library does not know";
	}
}

} // namespace

struct accel_telemetry {
	std::int64_t age_ns = 0;
	std::vector<sensor> sensors;
	std::vector<counter> counters;

	const sensor *sensor_at(std::size_t index) const
	{
		return index < sensors.size() ? &sensors[index] : nullptr;
	}
	const counter *counter_at(std::size_t index) const
	{
		return index < counters.size() ? &counters[index] : nullptr;
	}
};

namespace
{

telemetry_reading read_and_keep(accel_device &device, std::int64_t deadline)
{
	const telemetry_reading reading = device.backend->telemetry(deadline);
	const std::lock_guard lock(device.telemetry_mutex);
	device.telemetry = reading;
	device.telemetry_ns = accel::now_ns();
	return reading;
}

std::unique_ptr<accel_telemetry> snapshot_of(telemetry_reading reading)
{
	auto made = std::make_unique<accel_telemetry>();
	for (sensor_reading &found : reading.sensors) {
		std::string name = sensor_name(found.id);
		made->sensors.push_back({ std::move(found), std::move(name) });
	}
	for (const counter_reading &found : reading.counters)
		made->counters.push_back(named(found));
	return made;
}

/* The one kept; nothing: there is none. */
std::unique_ptr<accel_telemetry> kept_snapshot(accel_device &device)
{
	const std::lock_guard lock(device.telemetry_mutex);
	if (device.telemetry_ns == 0)
		return nullptr;
	auto made = snapshot_of(device.telemetry);
	made->age_ns = std::max<std::int64_t>(accel::now_ns() - device.telemetry_ns, 1);
	return made;
}

} // namespace

int accel_telemetry_read(accel_device *device, accel_telemetry **snapshot)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(snapshot, "snapshot");
		*snapshot = snapshot_of(read_and_keep(*device, INT64_MAX)).release();
		return 0;
	});
}

int accel_telemetry_read_within(accel_device *device, int64_t timeout, accel_telemetry **snapshot)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(snapshot, "snapshot");
		if (!accel::is_timeout(timeout))
			throw failure(EINVAL,
				      "accel_telemetry_read_within: the timeout must not be "
				      "negative");
		std::unique_ptr<accel_telemetry> made;
		try {
			made = snapshot_of(read_and_keep(*device, accel::deadline_after(timeout)));
		} catch (const failure &late) {
			if (late.code().value() == ETIMEDOUT)
				made = kept_snapshot(*device);
			if (!made)
				throw;
		}
		*snapshot = made.release();
		return 0;
	});
}

uint64_t accel_telemetry_age(const accel_telemetry *snapshot)
{
	return snapshot ? static_cast<std::uint64_t>(snapshot->age_ns) : 0;
}

void accel_telemetry_free(accel_telemetry *snapshot)
{
	const std::unique_ptr<accel_telemetry> freed(snapshot);
}

size_t accel_telemetry_sensors(const accel_telemetry *snapshot)
{
	return snapshot ? snapshot->sensors.size() : 0;
}

const char *accel_telemetry_sensor_name(const accel_telemetry *snapshot, size_t index)
{
	const sensor *found = snapshot ? snapshot->sensor_at(index) : nullptr;
	return found ? found->name.c_str() : nullptr;
}

const char *accel_telemetry_sensor_label(const accel_telemetry *snapshot, size_t index)
{
	const sensor *found = snapshot ? snapshot->sensor_at(index) : nullptr;
	return found ? found->reading.label.c_str() : nullptr;
}

const char *accel_telemetry_sensor_unit(const accel_telemetry *snapshot, size_t index)
{
	const sensor *found = snapshot ? snapshot->sensor_at(index) : nullptr;
	return found ? unit_of(found->reading.type).name : nullptr;
}

namespace
{

double in_unit(const sensor &from, std::int64_t value)
{
	return static_cast<double>(value) * unit_of(from.reading.type).scale;
}

/* A limit: of the sensor at index, present when flag says so. */
int limit(const accel_telemetry *snapshot, std::size_t index, double *value, unsigned flag,
	  std::int64_t sensor_reading::*which)
{
	const sensor *found = snapshot ? snapshot->sensor_at(index) : nullptr;
	if (!found || !value)
		return accel::error_literal(EINVAL, "accel_telemetry: no such sensor, or NULL");
	if (!(found->reading.flags & flag))
		return accel::error_literal(ENODATA,
					    "accel_telemetry: the sensor has no such limit");
	*value = in_unit(*found, found->reading.*which);
	return 0;
}

} // namespace

int accel_telemetry_sensor_value(const accel_telemetry *snapshot, size_t index, double *value,
				 const char **reason)
{
	const sensor *found = snapshot ? snapshot->sensor_at(index) : nullptr;
	if (!found || !value)
		return accel::error_literal(EINVAL, "accel_telemetry: no such sensor, or NULL");
	if (found->reading.absent != OAC_ABSENT_NO) {
		const char *why = absence_text(found->reading.absent);
		if (reason)
			*reason = why;
		return accel::error_literal(ENODATA, why);
	}
	*value = in_unit(*found, found->reading.value);
	return 0;
}

int accel_telemetry_sensor_warn(const accel_telemetry *snapshot, size_t index, double *value)
{
	return limit(snapshot, index, value, OAC_SENSOR_HAS_WARN, &sensor_reading::warn);
}

int accel_telemetry_sensor_critical(const accel_telemetry *snapshot, size_t index, double *value)
{
	return limit(snapshot, index, value, OAC_SENSOR_HAS_CRITICAL, &sensor_reading::critical);
}

size_t accel_telemetry_counters(const accel_telemetry *snapshot)
{
	return snapshot ? snapshot->counters.size() : 0;
}

const char *accel_telemetry_counter_name(const accel_telemetry *snapshot, size_t index)
{
	const counter *found = snapshot ? snapshot->counter_at(index) : nullptr;
	return found ? found->name.c_str() : nullptr;
}

const char *accel_telemetry_counter_text(const accel_telemetry *snapshot, size_t index)
{
	const counter *found = snapshot ? snapshot->counter_at(index) : nullptr;
	return found ? found->text : nullptr;
}

uint64_t accel_telemetry_counter_value(const accel_telemetry *snapshot, size_t index)
{
	const counter *found = snapshot ? snapshot->counter_at(index) : nullptr;
	return found ? found->reading.value : 0;
}
