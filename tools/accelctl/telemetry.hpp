// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A telemetry snapshot of a card as values: names carry the unit, absent ones a reason.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <accel/accel.h>

#include "card.hpp"

namespace accelctl
{

class telemetry
{
public:
	/// Throws failure. With less time than the card needs it is the last one of this process.
	explicit telemetry(const card &of, std::int64_t timeout = ACCEL_TIMEOUT_DEFAULT);

	/// 0: the card has just said so.
	double age_seconds() const;

	/// {"chip_temp_celsius": 41.5, ...}, with limits as "chip_temp_warn_celsius".
	tree sensors() const;
	tree counters() const;

	/// row[key] = the value of a sensor, or null and the reason.
	void put_sensor(tree &row, const char *key, const std::string &sensor) const;
	void put_counter(tree &row, const char *key, const std::string &counter) const;

	/// "chip_temp is 101.0 celsius, critical from 100.0 on": the worst that stands out, if any.
	std::optional<std::string> over_limit(bool critical) const;

private:
	using limit_call = int(const accel_telemetry *, std::size_t, double *);

	std::string field(std::size_t sensor, const char *infix) const;
	std::unique_ptr<accel_telemetry, void (*)(accel_telemetry *)> snapshot_;
};

} // namespace accelctl
