// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Sensors within what is physically plausible, and counters that rise by what was done.
#include "fixture.hpp"

#include <algorithm>
#include <set>

namespace
{

class telemetry_test : public api::queue_test
{
protected:
	/// How much a counter rises while `work` runs.
	std::uint64_t rise(std::string_view name, const std::function<void()> &work)
	{
		std::uint64_t before = counter(name);
		work();
		return counter(name) - before;
	}
};

TEST_F(telemetry_test, sensors_are_named_and_in_range)
{
	accel::telemetry snapshot = device().read_telemetry();
	const double limit =
		static_cast<double>(number(ACCEL_NUMBER_POWER_LIMIT_MILLIWATTS)) / 1000;
	const std::set<std::string_view> units = { "celsius", "watts", "volts",
						   "amperes", "hertz", "ratio" };
	unsigned temperatures = 0, powers = 0;

	for (const auto &sensor : snapshot.sensors()) {
		EXPECT_FALSE(sensor.name.empty());
		EXPECT_FALSE(sensor.label.empty()) << sensor.name;
		EXPECT_TRUE(units.contains(sensor.unit)) << sensor.name << ": " << sensor.unit;
		EXPECT_NE(sensor.value.has_value(), !sensor.absent_reason.empty()) << sensor.name;
		double value = sensor.value.value_or(0);
		EXPECT_GE(value, 0) << sensor.name;
		if (sensor.unit == "celsius") {
			temperatures += sensor.value.has_value();
			EXPECT_LE(value, 120) << sensor.name;
		} else if (sensor.unit == "watts") {
			powers += sensor.value.has_value();
			EXPECT_LE(value, limit * 1.5) << sensor.name;
		} else if (sensor.unit == "ratio") {
			EXPECT_LE(value, 1) << sensor.name;
		}
		if (sensor.warn && sensor.critical) {
			EXPECT_LE(*sensor.warn, *sensor.critical) << sensor.name;
		}
	}
	EXPECT_GE(temperatures, 1u);
	EXPECT_GE(powers, 1u);
}

TEST_F(telemetry_test, out_of_range_is_harmless)
{
	accel::telemetry snapshot = device().read_telemetry();
	double value = 77;
	const char *reason = nullptr;
	std::size_t end = accel_telemetry_sensors(snapshot.get());

	EXPECT_EQ(accel_telemetry_sensor_name(snapshot.get(), end), nullptr);
	EXPECT_LT(accel_telemetry_sensor_value(snapshot.get(), end, &value, &reason), 0);
	EXPECT_LT(accel_telemetry_sensor_warn(snapshot.get(), SIZE_MAX, &value), 0);
	EXPECT_EQ(value, 77);
	end = accel_telemetry_counters(snapshot.get());
	EXPECT_EQ(accel_telemetry_counter_name(snapshot.get(), end), nullptr);
	EXPECT_EQ(accel_telemetry_counter_value(snapshot.get(), end), 0u);
	EXPECT_EQ(accel_telemetry_sensors(nullptr), 0u);

	accel_telemetry *raw = nullptr;
	EXPECT_EQ(accel_telemetry_read(nullptr, &raw), -EINVAL);
	EXPECT_EQ(accel_telemetry_read(device().get(), nullptr), -EINVAL);
}

TEST_F(telemetry_test, counters_are_named_once)
{
	std::set<std::string_view> names;
	accel::telemetry snapshot = device().read_telemetry();
	auto counters = snapshot.counters();
	for (const auto &counter : counters) {
		EXPECT_TRUE(names.insert(counter.name).second) << counter.name;
		EXPECT_FALSE(counter.text.empty()) << counter.name;
	}
	for (const char *name : { "commands", "command_errors", "operators", "bytes_from_host",
				  "bytes_to_host", "interrupts", "access_faults", "boots",
				  "boot_failures", "resets", "engine_busy_ns", "energy_uj" })
		EXPECT_TRUE(names.contains(name)) << name;
}

TEST_F(telemetry_test, commands_and_bytes_are_counted)
{
	auto from = memory().take<std::uint8_t>(100000), to = memory().take<std::uint8_t>(100000);
	auto copy = [&] {
		EXPECT_DONE(api::run(queue(), [&](auto tag) {
			return queue().try_copy(to.address, from.address, 100000, tag);
		}));
	};
	// Others may use the card at the same time: at least what was done here.
	EXPECT_GE(rise("commands", copy), 1u);
	EXPECT_GE(rise("bytes_from_host", copy), 100000u);
	EXPECT_GE(rise("bytes_to_host", copy), 100000u);
	EXPECT_GE(rise("operators",
		       [&] {
			       EXPECT_DONE(api::run(queue(), [&](auto tag) {
				       return queue().try_relu(ACCEL_TYPE_S8, to.address,
							       from.address, 100000, tag);
			       }));
		       }),
		  1u);
}

TEST_F(telemetry_test, errors_are_counted)
{
	auto fault = [&] {
		accel::queue doomed(context(), 4u);
		EXPECT_LT(api::run(doomed,
				   [&](auto tag) {
					   return doomed.try_fill(0x7fff'0000'0000, 8, 0u, tag);
				   })
				  .result,
			  0);
	};
	EXPECT_GE(rise("command_errors", fault), 1u);
	EXPECT_GE(rise("access_faults", fault), 1u);
}

TEST_F(telemetry_test, interrupts_are_counted)
{
	accel::timeline gate(context());
	EXPECT_GE(rise("interrupts",
		       [&] {
			       EXPECT_EQ(queue().try_wait(gate, 1, 1), 0);
			       EXPECT_EQ(queue().submit(), 0);
			       EXPECT_EQ(queue().arm(), 0);
			       EXPECT_EQ(gate.signal(1), 0);
			       EXPECT_EQ(api::collect(queue(), 1).size(), 1u);
		       }),
		  1u);
}

TEST_F(telemetry_test, counters_never_fall)
{
	auto before = device().read_telemetry();
	for (unsigned i = 0; i < 10; i++)
		EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
	auto after = device().read_telemetry();
	for (const auto &counter : before.counters())
		EXPECT_GE(after.counter_value(counter.name), counter.value) << counter.name;
}

TEST_F(telemetry_test, many_threads_may_read)
{
	// A snapshot belongs to its reader: each is whole, whoever else reads.
	std::size_t sensors = accel_telemetry_sensors(device().read_telemetry().get());
	for (unsigned i = 0; i < scaled(200); i++)
		ASSERT_EQ(accel_telemetry_sensors(device().read_telemetry().get()), sensors);
}

} // namespace
