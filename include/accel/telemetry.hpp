// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Sensors and counters of a card. Programs include accel.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core.hpp"

namespace accel
{

/// One consistent snapshot of sensors and counters. Owns what its string_views point to.
class telemetry
{
public:
	struct sensor {
		std::string_view name, label, unit;
		std::optional<double> value;
		std::string_view absent_reason;	///< empty when there is a value
		std::optional<double> warn, critical;
	};
	struct counter {
		std::string_view name, text;
		std::uint64_t value;
	};

	explicit telemetry(::accel_telemetry *adopted) noexcept : handle_(adopted) {}

	/// How old it is; 0: read by the call that gave it.
	std::chrono::nanoseconds age() const
	{
		return std::chrono::nanoseconds(::accel_telemetry_age(get()));
	}

	std::vector<sensor> sensors() const
	{
		std::vector<sensor> all(::accel_telemetry_sensors(get()));
		for (std::size_t i = 0; i < all.size(); i++)
			all[i] = read_sensor(i);
		return all;
	}

	std::vector<counter> counters() const
	{
		std::vector<counter> all(::accel_telemetry_counters(get()));
		for (std::size_t i = 0; i < all.size(); i++) {
			all[i] = { detail::text(::accel_telemetry_counter_name(get(), i)),
				   detail::text(::accel_telemetry_counter_text(get(), i)),
				   ::accel_telemetry_counter_value(get(), i) };
		}
		return all;
	}

	/// Nothing if the card has no counter of this name.
	std::optional<std::uint64_t> counter_value(std::string_view name) const
	{
		for (std::size_t i = 0; i < ::accel_telemetry_counters(get()); i++)
			if (name == ::accel_telemetry_counter_name(get(), i))
				return ::accel_telemetry_counter_value(get(), i);
		return std::nullopt;
	}

	const ::accel_telemetry *get() const noexcept { return handle_.get(); }

private:
	sensor read_sensor(std::size_t i) const
	{
		sensor s{};
		double value = 0;
		const char *reason = nullptr;

		s.name = detail::text(::accel_telemetry_sensor_name(get(), i));
		s.label = detail::text(::accel_telemetry_sensor_label(get(), i));
		s.unit = detail::text(::accel_telemetry_sensor_unit(get(), i));
		if (::accel_telemetry_sensor_value(get(), i, &value, &reason) == 0)
			s.value = value;
		else
			s.absent_reason = detail::text(reason);
		if (::accel_telemetry_sensor_warn(get(), i, &value) == 0)
			s.warn = value;
		if (::accel_telemetry_sensor_critical(get(), i, &value) == 0)
			s.critical = value;
		return s;
	}

	detail::handle<::accel_telemetry, ::accel_telemetry_free> handle_;
};

} // namespace accel
