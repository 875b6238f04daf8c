// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A telemetry snapshot of a card as values.
#include "telemetry.hpp"

#include <cmath>

#include <fmt/format.h>

namespace accelctl
{

namespace
{

accel_telemetry *read_snapshot(const card &of, std::int64_t timeout)
{
	accel_telemetry *snapshot = nullptr;
	const int error = accel_telemetry_read_within(of.device(), timeout, &snapshot);

	if (error != 0)
		throw library_failure(error, of.name());
	return snapshot;
}

void put_value(const accel_telemetry *from, std::size_t sensor, tree &row, const std::string &key)
{
	double value = 0;
	const char *reason = nullptr;

	if (accel_telemetry_sensor_value(from, sensor, &value, &reason) == 0)
		row[key] = std::round(value * 1e6) / 1e6;	/* 41.5, not 41.500000000000004 */
	else
		set_absent(row, key, reason ? reason : "the card does not tell");
}

} // namespace

telemetry::telemetry(const card &of, std::int64_t timeout)
	: snapshot_(read_snapshot(of, timeout), accel_telemetry_free)
{
}

double telemetry::age_seconds() const
{
	return static_cast<double>(accel_telemetry_age(snapshot_.get())) / 1e9;
}

std::string telemetry::field(std::size_t sensor, const char *infix) const
{
	return std::string(accel_telemetry_sensor_name(snapshot_.get(), sensor)) + infix + "_" +
	       accel_telemetry_sensor_unit(snapshot_.get(), sensor);
}

tree telemetry::sensors() const
{
	tree out = tree::object();

	for (std::size_t i = 0; i < accel_telemetry_sensors(snapshot_.get()); i++) {
		double limit = 0;
		put_value(snapshot_.get(), i, out, field(i, ""));
		if (accel_telemetry_sensor_warn(snapshot_.get(), i, &limit) == 0)
			out[field(i, "_warn")] = limit;
		if (accel_telemetry_sensor_critical(snapshot_.get(), i, &limit) == 0)
			out[field(i, "_critical")] = limit;
	}
	return out;
}

tree telemetry::counters() const
{
	tree out = tree::object();

	for (std::size_t i = 0; i < accel_telemetry_counters(snapshot_.get()); i++)
		out[accel_telemetry_counter_name(snapshot_.get(), i)] =
			accel_telemetry_counter_value(snapshot_.get(), i);
	return out;
}

void telemetry::put_sensor(tree &row, const char *key, const std::string &sensor) const
{
	for (std::size_t i = 0; i < accel_telemetry_sensors(snapshot_.get()); i++) {
		if (sensor == accel_telemetry_sensor_name(snapshot_.get(), i)) {
			put_value(snapshot_.get(), i, row, key);
			return;
		}
	}
	set_absent(row, key, "the firmware has no sensor " + sensor);
}

void telemetry::put_counter(tree &row, const char *key, const std::string &counter) const
{
	for (std::size_t i = 0; i < accel_telemetry_counters(snapshot_.get()); i++) {
		if (counter == accel_telemetry_counter_name(snapshot_.get(), i)) {
			row[key] = accel_telemetry_counter_value(snapshot_.get(), i);
			return;
		}
	}
	set_absent(row, key, "the firmware has no counter " + counter);
}

std::optional<std::string> telemetry::over_limit(bool critical) const
{
	limit_call *const limit_of = critical ? accel_telemetry_sensor_critical :
						accel_telemetry_sensor_warn;

	for (std::size_t i = 0; i < accel_telemetry_sensors(snapshot_.get()); i++) {
		double value = 0, limit = 0;
		if (limit_of(snapshot_.get(), i, &limit) != 0 ||
		    accel_telemetry_sensor_value(snapshot_.get(), i, &value, nullptr) != 0)
			continue;
		if (value >= limit)
			return fmt::format("{} is {:.1f} {}, {} from {:.1f} on",
					   accel_telemetry_sensor_name(snapshot_.get(), i), value,
					   accel_telemetry_sensor_unit(snapshot_.get(), i),
					   critical ? "critical" : "a warning", limit);
	}
	return std::nullopt;
}

} // namespace accelctl
