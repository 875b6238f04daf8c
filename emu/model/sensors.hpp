// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A small physical model of the board. Load is engine time over a sliding window; power follows
// load, temperatures follow power with a time constant, voltage droops with load, and current is
// power over voltage. Time is given by the caller; nothing moves by itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <hw/oac_firmware.h>

namespace oac::emu
{

class sensors
{
public:
	struct alarm {
		std::uint16_t sensor;
		bool cleared;
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

private:
	struct slot {
		std::uint64_t start_ns, busy_ns;
	};

	double load() const;
	double power_mw() const;
	double voltage_mv() const;
	double value_of(std::uint16_t id) const;
	void drift(double seconds);
	void roll_window();

	std::vector<oac_sensor_info> table_;
	std::vector<bool> alarmed_;
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
