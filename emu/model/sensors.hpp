// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A small physical model of the board. Load is engine time over a sliding window; power follows
// load, temperatures follow power with a time constant, voltage droops with load, and current is
// power over voltage. Time is given by the caller; nothing moves by itself.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <hw/oac_firmware.h>

namespace oac::emu
{

class sensors
{
public:
	struct alarm {
		std::uint16_t sensor;
		std::uint16_t event; /* OAC_EVENT_THERMAL_* */
	};

	/* Firmware starts: its table of sensors and the limits of the board. */
	void start(const oac_fw_manifest &manifest, std::uint64_t now_ns);
	/* Firmware stops; the board cools on at idle and keeps its energy count. */
	void stop();

	/* All engines together were busy for so long, up to now. */
	void add_busy(std::uint64_t busy_ns) { window_[slot_].busy_ns += busy_ns; }

	/* Moves the model to now; returns the temperature alarms that came or went. */
	std::vector<alarm> advance(std::uint64_t now_ns);
	/* When advance() could tell something new without work being done; nothing while settled. */
	std::optional<std::uint64_t> next_tick_ns() const;

	std::vector<oac_sensor_info> info() const;
	std::vector<oac_sensor_value> values() const;
	std::uint64_t energy_uj() const { return static_cast<std::uint64_t>(energy_uj_); }
	std::uint64_t hot_ns() const { return hot_ns_; }
	std::uint64_t brake_ns() const { return brake_ns_; }

	/* Over a warning limit: slowed down; was over a critical one: engines stand still. */
	bool is_hot() const { return hot_count_ != 0; }
	bool is_tripped() const { return tripped_; }
	bool is_braked() const { return braked_; }
	/* Engine clocks are divided by so much for it. */
	unsigned slowdown() const { return (is_hot() ? 2u : 1u) * (braked_ ? 4u : 1u); }

	/* What is shown from now on in place of what the model says, until taken back or power-off. */
	void force(std::uint16_t id, std::optional<std::int64_t> value);
	void set_dead(std::uint16_t id, bool is_dead);
	bool is_dead(std::uint16_t id) const { return dead_.contains(id); }
	void set_brake(bool on) { braked_ = on; }

private:
	struct slot {
		std::uint64_t start_ns, busy_ns;
	};
	struct limit_state {
		bool is_warned, is_tripped;
	};

	std::vector<alarm> check_limits();

	double load() const;
	double power_mw() const;
	double voltage_mv() const;
	double value_of(std::uint16_t id) const;
	double modelled(std::uint16_t id) const;
	void drift(double seconds);
	void roll_window();

	std::vector<oac_sensor_info> table_;
	std::vector<limit_state> alarmed_;
	std::map<std::uint16_t, std::int64_t> forced_;
	std::set<std::uint16_t> dead_;
	unsigned hot_count_ = 0; /* sensors over their warning limit */
	bool tripped_ = false, braked_ = false;
	std::uint64_t hot_ns_ = 0, brake_ns_ = 0;
	double idle_mw_ = 0, limit_mw_ = 0, clock_hz_ = 0;
	bool running_ = false;
	bool settled_ = false;
	std::uint64_t now_ns_ = 0;
	std::array<slot, 16> window_{};
	std::size_t slot_ = 0;
	double chip_mc_ = 0, memory_mc_ = 0; /* above ambient, millidegree Celsius */
	double energy_uj_ = 0;
};

} // namespace oac::emu
