// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Telemetry of a card that is newer than the library, or wrong: what is not known has a name all the
// same, and a value that is not there says why.
#include <cerrno>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <hw/oac_telemetry.h>

#include <device.hpp>

#include "dead_backend.hpp"

namespace
{

class newer_backend final : public accel::test::dead_backend
{
public:
	explicit newer_backend(accel::telemetry_reading reading) : reading_(std::move(reading)) {}
	accel::telemetry_reading telemetry(std::int64_t /*deadline*/) override { return reading_; }

private:
	accel::telemetry_reading reading_;
};

struct freer {
	void operator()(accel_telemetry *snapshot) const { accel_telemetry_free(snapshot); }
};

std::unique_ptr<accel_telemetry, freer> read(const accel::telemetry_reading &reading)
{
	accel_device device;
	accel_telemetry *snapshot = nullptr;
	device.backend = std::make_unique<newer_backend>(reading);
	EXPECT_EQ(accel_telemetry_read(&device, &snapshot), 0);
	return std::unique_ptr<accel_telemetry, freer>(snapshot);
}

TEST(telemetry, has_a_name_for_what_it_does_not_know)
{
	accel::telemetry_reading reading;
	accel::sensor_reading sensor;
	sensor.id = 0xfffe;
	sensor.type = 0xfffd;
	sensor.value = -5;
	reading.sensors = { sensor };
	reading.counters = { { 0xfffffffc, 7 } };
	const auto snapshot = read(reading);
	double value = 0;
	ASSERT_EQ(accel_telemetry_sensors(snapshot.get()), 1u);
	EXPECT_STREQ(accel_telemetry_sensor_name(snapshot.get(), 0), "sensor_0xfffe");
	EXPECT_STREQ(accel_telemetry_sensor_unit(snapshot.get(), 0), "unknown");
	EXPECT_EQ(accel_telemetry_sensor_value(snapshot.get(), 0, &value, nullptr), 0);
	EXPECT_EQ(value, -5.0);
	ASSERT_EQ(accel_telemetry_counters(snapshot.get()), 1u);
	EXPECT_STREQ(accel_telemetry_counter_name(snapshot.get(), 0), "counter_0xfffffffc");
	EXPECT_NE(accel_telemetry_counter_text(snapshot.get(), 0), nullptr);
	EXPECT_EQ(accel_telemetry_counter_value(snapshot.get(), 0), 7u);
}

TEST(telemetry, says_why_a_value_is_absent)
{
	accel::telemetry_reading reading;
	for (const unsigned absent :
	     { OAC_ABSENT_NOT_READY + 0u, OAC_ABSENT_FAILED + 0u, 0xffffu }) {
		accel::sensor_reading sensor;
		sensor.absent = static_cast<std::uint16_t>(absent);
		reading.sensors.push_back(sensor);
	}
	const auto snapshot = read(reading);
	for (std::size_t i = 0; i < reading.sensors.size(); i++) {
		double value = 1;
		const char *reason = nullptr;
		EXPECT_EQ(accel_telemetry_sensor_value(snapshot.get(), i, &value, &reason),
			  -ENODATA);
		ASSERT_NE(reason, nullptr);
		EXPECT_NE(std::string(reason), "");
		EXPECT_EQ(value, 1.0);
	}
}

TEST(telemetry, refuses_what_is_not_there)
{
	const auto snapshot = read({});
	double value;
	EXPECT_EQ(accel_telemetry_sensors(snapshot.get()), 0u);
	EXPECT_EQ(accel_telemetry_sensor_name(snapshot.get(), 0), nullptr);
	EXPECT_EQ(accel_telemetry_sensor_unit(snapshot.get(), 0), nullptr);
	EXPECT_EQ(accel_telemetry_counter_name(snapshot.get(), 0), nullptr);
	EXPECT_EQ(accel_telemetry_counter_text(snapshot.get(), 0), nullptr);
	EXPECT_EQ(accel_telemetry_counter_value(snapshot.get(), 0), 0u);
	EXPECT_EQ(accel_telemetry_sensor_value(snapshot.get(), 0, &value, nullptr), -EINVAL);
	EXPECT_EQ(accel_telemetry_sensor_warn(snapshot.get(), 0, &value), -EINVAL);
	EXPECT_EQ(accel_telemetry_sensor_critical(nullptr, 0, &value), -EINVAL);
}

} // namespace
