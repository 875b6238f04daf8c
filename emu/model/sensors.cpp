// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See sensors.hpp. Constants describe a passively cooled M.2-class card in moving air: 30 degrees
// ambient, 55 degrees above it at the power limit.
#include "sensors.hpp"

#include <algorithm>
#include <cmath>

namespace oac::emu
{

namespace
{

constexpr double AMBIENT_MC = 30000;
constexpr double CHIP_RISE_MC = 55000; /* at the power limit */
constexpr double MEMORY_RISE_MC = 35000;
constexpr double CHIP_TAU_S = 3, MEMORY_TAU_S = 5;
constexpr double HYSTERESIS_MC = 3000;
constexpr double SETTLED_MC = 20;
constexpr double IDLE_MV = 720, DROOP_MV = 40;
constexpr double NS_PER_S = 1e9;
constexpr double DRIFT_STEP_S = 0.25; /* load is taken as constant for so long */
constexpr double DRIFT_MAX_S = 60; /* after this every temperature has settled */
constexpr std::uint64_t SLOT_NS = 64000000;
constexpr std::uint64_t TICK_NS = 250000000;

} // namespace

void sensors::start(const oac_fw_manifest &manifest, std::uint64_t now_ns)
{
	const bool was_on = now_ns_ != 0;

	idle_mw_ = manifest.idle_power_mw;
	limit_mw_ = manifest.power_limit_mw;
	clock_hz_ = manifest.engine_clock_khz * 1000.0;
	window_ = {};
	running_ = true;
	settled_ = false;
	if (was_on)
		advance(now_ns);
	now_ns_ = now_ns;
	window_ = {};
	window_[slot_].start_ns = now_ns;
	table_.assign(manifest.sensors, manifest.sensors + manifest.sensor_count);
	alarmed_.assign(table_.size(), {});
	hot_count_ = 0;
	tripped_ = false;
}

void sensors::stop()
{
	running_ = false;
	table_.clear();
	alarmed_.clear();
	hot_count_ = 0;
	tripped_ = false;
}

void sensors::force(std::uint16_t id, std::optional<std::int64_t> value)
{
	if (value)
		forced_[id] = *value;
	else
		forced_.erase(id);
}

void sensors::set_dead(std::uint16_t id, bool is_dead)
{
	if (is_dead)
		dead_.insert(id);
	else
		dead_.erase(id);
}

double sensors::load() const
{
	std::uint64_t busy = 0, first = now_ns_;

	for (const slot &part : window_) {
		busy += part.busy_ns;
		if (part.start_ns)
			first = std::min(first, part.start_ns);
	}
	const std::uint64_t span = std::max(now_ns_ - first, SLOT_NS);
	return std::min(1.0, static_cast<double>(busy) / static_cast<double>(span));
}

double sensors::power_mw() const
{
	return idle_mw_ + (limit_mw_ - idle_mw_) * load();
}

double sensors::voltage_mv() const
{
	return IDLE_MV - DROOP_MV * load();
}

void sensors::drift(double seconds)
{
	const double share = limit_mw_ > 0 ? power_mw() / limit_mw_ : 0;
	const double chip_goal = CHIP_RISE_MC * share, memory_goal = MEMORY_RISE_MC * share;

	chip_mc_ += (chip_goal - chip_mc_) * (1 - std::exp(-seconds / CHIP_TAU_S));
	memory_mc_ += (memory_goal - memory_mc_) * (1 - std::exp(-seconds / MEMORY_TAU_S));
	energy_uj_ += power_mw() * seconds * 1000;
	settled_ = std::abs(chip_goal - chip_mc_) < SETTLED_MC &&
		   std::abs(memory_goal - memory_mc_) < SETTLED_MC;
}

void sensors::roll_window()
{
	const std::uint64_t behind = (now_ns_ - window_[slot_].start_ns) / SLOT_NS;

	for (std::uint64_t i = std::min<std::uint64_t>(behind, window_.size()); i > 0; i--) {
		slot_ = (slot_ + 1) % window_.size();
		window_[slot_] = { now_ns_ - (i - 1) * SLOT_NS, 0 };
	}
}

std::vector<sensors::alarm> sensors::advance(std::uint64_t now_ns)
{
	std::vector<alarm> alarms;

	if (!running_)
		return alarms;
	if (now_ns <= now_ns_)
		return check_limits();
	/* as it was since the last time */
	if (is_hot())
		hot_ns_ += now_ns - now_ns_;
	if (braked_)
		brake_ns_ += now_ns - now_ns_;
	double left = static_cast<double>(now_ns - now_ns_) / NS_PER_S;
	if (left > DRIFT_MAX_S) {
		/* a long sleep: nothing ran, so the end of it is all that matters but for energy */
		energy_uj_ += power_mw() * (left - DRIFT_MAX_S) * 1000;
		left = DRIFT_MAX_S;
	}
	const std::uint64_t left_ns = static_cast<std::uint64_t>(left * NS_PER_S);
	now_ns_ = now_ns - std::min(left_ns, now_ns - now_ns_);
	while (now_ns_ < now_ns) {
		const std::uint64_t step = std::min(
			now_ns - now_ns_, static_cast<std::uint64_t>(DRIFT_STEP_S * NS_PER_S));
		now_ns_ += step;
		drift(static_cast<double>(step) / NS_PER_S);
		roll_window();
	}
	return check_limits();
}

/* A trip stays until firmware starts anew: by then it may be cooler. */
std::vector<sensors::alarm> sensors::check_limits()
{
	std::vector<alarm> alarms;

	hot_count_ = 0;
	for (std::size_t i = 0; i < table_.size(); i++) {
		const oac_sensor_info &sensor = table_[i];
		limit_state &state = alarmed_[i];
		if (sensor.type != OAC_SENSOR_TEMPERATURE || is_dead(sensor.id))
			continue;
		const double warn = static_cast<double>(static_cast<std::int64_t>(sensor.warn));
		const double critical =
			static_cast<double>(static_cast<std::int64_t>(sensor.critical));
		const double value = value_of(sensor.id);
		if (sensor.flags & OAC_SENSOR_HAS_WARN &&
		    (state.is_warned ? value < warn - HYSTERESIS_MC : value > warn)) {
			state.is_warned = !state.is_warned;
			alarms.push_back({ sensor.id,
					   static_cast<std::uint16_t>(
						   state.is_warned ? OAC_EVENT_THERMAL_WARNING :
								     OAC_EVENT_THERMAL_CLEARED) });
		}
		hot_count_ += state.is_warned;
		if (sensor.flags & OAC_SENSOR_HAS_CRITICAL && !state.is_tripped &&
		    value > critical) {
			state.is_tripped = true;
			tripped_ = true;
			alarms.push_back({ sensor.id, OAC_EVENT_THERMAL_TRIP });
		}
	}
	return alarms;
}

std::optional<std::uint64_t> sensors::next_tick_ns() const
{
	if (!running_ || (settled_ && load() == 0))
		return std::nullopt;
	return now_ns_ + TICK_NS;
}

double sensors::value_of(std::uint16_t id) const
{
	const auto forced = forced_.find(id);

	return forced == forced_.end() ? modelled(id) : static_cast<double>(forced->second);
}

double sensors::modelled(std::uint16_t id) const
{
	switch (id) {
	case OAC_SENSOR_ID_CHIP_TEMP:
		return AMBIENT_MC + chip_mc_;
	case OAC_SENSOR_ID_MEMORY_TEMP:
		return AMBIENT_MC + memory_mc_;
	case OAC_SENSOR_ID_CARD_POWER:
		return power_mw() * 1000;
	case OAC_SENSOR_ID_CORE_VOLTAGE:
		return voltage_mv();
	case OAC_SENSOR_ID_CORE_CURRENT:
		return power_mw() * 1000 / voltage_mv();
	case OAC_SENSOR_ID_ENGINE_CLOCK:
		return clock_hz_ / slowdown();
	case OAC_SENSOR_ID_ENGINE_LOAD:
		return load() * 1e6;
	}
	return 0;
}

std::vector<oac_sensor_info> sensors::info() const
{
	return table_;
}

std::vector<oac_sensor_value> sensors::values() const
{
	std::vector<oac_sensor_value> all;

	for (const oac_sensor_info &sensor : table_) {
		oac_sensor_value value{};
		value.id = sensor.id;
		value.absent = is_dead(sensor.id) ? OAC_ABSENT_FAILED : OAC_ABSENT_NO;
		if (value.absent == OAC_ABSENT_NO)
			value.value = static_cast<std::uint64_t>(std::llround(value_of(sensor.id)));
		value.card_ns = now_ns_;
		all.push_back(value);
	}
	return all;
}

} // namespace oac::emu
