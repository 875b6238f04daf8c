// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Sensors: every one there, consistent with each other, following load; alarms with hysteresis.
#include <cmath>

#include <model/sensors.hpp>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint64_t SECOND = 1000000000;

class sensor_test : public ::testing::Test
{
protected:
	sensor_test() { sensors_.start(default_manifest(), now_); }

	/* So many seconds with so much of the time spent in the engines. */
	std::vector<sensors::alarm> pass(double seconds, double load)
	{
		std::vector<sensors::alarm> all;
		const std::uint64_t step = SECOND / 20;
		for (int i = 0; i < seconds * 20; i++) {
			sensors_.add_busy(
				static_cast<std::uint64_t>(load * static_cast<double>(step)));
			now_ += step;
			for (const sensors::alarm &alarm : sensors_.advance(now_))
				all.push_back(alarm);
		}
		return all;
	}

	double value(unsigned id)
	{
		for (const oac_sensor_value &each : sensors_.values()) {
			EXPECT_EQ(each.absent, OAC_ABSENT_NO);
			if (each.id == id)
				return static_cast<double>(static_cast<std::int64_t>(each.value));
		}
		ADD_FAILURE() << "no sensor " << id;
		return 0;
	}

	std::uint64_t now_ = 5 * SECOND;
	sensors sensors_;
};

TEST_F(sensor_test, IdleCard)
{
	pass(60, 0);
	EXPECT_EQ(value(OAC_SENSOR_ID_ENGINE_LOAD), 0);
	EXPECT_EQ(value(OAC_SENSOR_ID_CARD_POWER), 3000000);
	EXPECT_EQ(value(OAC_SENSOR_ID_ENGINE_CLOCK), 800e6);
	EXPECT_NEAR(value(OAC_SENSOR_ID_CHIP_TEMP), 30000 + 55000 / 4, 50);
	EXPECT_NEAR(value(OAC_SENSOR_ID_MEMORY_TEMP), 30000 + 35000 / 4, 50);
	EXPECT_FALSE(sensors_.next_tick_ns()) << "settled: nothing to wake up for";
}

TEST_F(sensor_test, PowerFollowsLoadAndCurrentFollowsPower)
{
	for (const double load : { 0.25, 0.5, 1.0 }) {
		pass(3, load);
		EXPECT_NEAR(value(OAC_SENSOR_ID_ENGINE_LOAD), load * 1e6, 0.1e6);
		EXPECT_NEAR(value(OAC_SENSOR_ID_CARD_POWER), 3e6 + 9e6 * load, 0.9e6);
		EXPECT_NEAR(value(OAC_SENSOR_ID_CORE_CURRENT),
			    value(OAC_SENSOR_ID_CARD_POWER) / value(OAC_SENSOR_ID_CORE_VOLTAGE),
			    25);
	}
	EXPECT_LE(value(OAC_SENSOR_ID_CARD_POWER), 12e6);
	EXPECT_LT(value(OAC_SENSOR_ID_CORE_VOLTAGE), 720);
	EXPECT_TRUE(sensors_.next_tick_ns());
}

TEST_F(sensor_test, TemperatureLagsBehind)
{
	pass(1, 1);
	const double early = value(OAC_SENSOR_ID_CHIP_TEMP);
	pass(30, 1);
	const double late = value(OAC_SENSOR_ID_CHIP_TEMP);
	EXPECT_GT(late, early + 20000);
	EXPECT_NEAR(late, 85000, 2000);
	EXPECT_LT(value(OAC_SENSOR_ID_MEMORY_TEMP), late);
}

TEST_F(sensor_test, AlarmComesOnceAndGoesBelowTheLimit)
{
	const auto hot = pass(30, 1);
	ASSERT_EQ(hot.size(), 1u);
	EXPECT_EQ(hot[0].sensor, OAC_SENSOR_ID_CHIP_TEMP);
	EXPECT_EQ(hot[0].event, OAC_EVENT_THERMAL_WARNING);
	EXPECT_TRUE(pass(20, 1).empty());
	const auto cool = pass(30, 0);
	ASSERT_EQ(cool.size(), 1u);
	EXPECT_EQ(cool[0].event, OAC_EVENT_THERMAL_CLEARED);
}

TEST_F(sensor_test, EnergyIsPowerOverTime)
{
	const std::uint64_t before = sensors_.energy_uj();
	pass(10, 0);
	EXPECT_NEAR(static_cast<double>(sensors_.energy_uj() - before), 3e6 * 10, 1e5);
}

TEST_F(sensor_test, LongSleepIsOneStep)
{
	pass(30, 1);
	now_ += 3600 * SECOND;
	const auto alarms = sensors_.advance(now_);
	EXPECT_EQ(alarms.size(), 1u);
	EXPECT_NEAR(value(OAC_SENSOR_ID_CHIP_TEMP), 30000 + 55000 / 4, 50);
	EXPECT_EQ(value(OAC_SENSOR_ID_ENGINE_LOAD), 0);
}

class sensor_card_test : public bench
{};

TEST_F(sensor_card_test, WorkShowsInSensorsCountersAndEvents)
{
	start();
	user_queue q = create_queue(1);
	oac_op op{};
	op.header = { OAC_OP_RELU, 0, OAC_DTYPE_F32, OAC_DTYPE_F32, 0 };
	op.body.eltwise = { alloc(4096), 0, alloc(4096), 64 };
	host_.tick = SECOND / 40; /* every look at the clock takes long: so does every slice */
	for (int i = 0; i < 400; i++) {
		ASSERT_EQ(exec(q, op).status, OAC_ST_SUCCESS);
		next_ -= OAC_PAGE_SIZE;
	}
	EXPECT_GT(counter(OAC_COUNTER_ENGINE_BUSY_NS), SECOND);
	EXPECT_EQ(progress(q).compute_ns, 400 * (SECOND / 40)) << "a slice each";
	EXPECT_EQ(progress(q).copy_ns, 0u);
	EXPECT_GT(counter(OAC_COUNTER_ENERGY_UJ), 0u);
	EXPECT_EQ(counter(OAC_COUNTER_OPERATORS), 400u);
	const auto values = get_log<oac_sensor_value>(OAC_LOG_SENSOR_VALUES);
	const auto info = get_log<oac_sensor_info>(OAC_LOG_SENSOR_INFO);
	ASSERT_EQ(values.size(), info.size());
	for (std::size_t i = 0; i < values.size(); i++) {
		EXPECT_EQ(values[i].id, info[i].id);
		if (values[i].id == OAC_SENSOR_ID_ENGINE_LOAD) {
			EXPECT_GT(values[i].value, 10000u);
		}
	}
}

} // namespace
} // namespace oac::emu::test
