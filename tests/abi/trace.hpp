// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A trace of the kernel's, apart from everybody else's, of some of its events.
#pragma once

#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

#include "device.hpp"

namespace oac::abi
{

class own_trace
{
public:
	/* The folder of those events: "oac", "ras/aer_event". */
	explicit own_trace(const std::string &events);
	~own_trace();
	own_trace(const own_trace &) = delete;
	own_trace &operator=(const own_trace &) = delete;

	/* false: the kernel has no tracepoints, or they cannot be switched on. */
	bool is_there() const { return is_there_; }

	/* The first line that has all of these words. */
	std::string line(std::initializer_list<std::string> words) const;

	/* Looks anew at each event, which line() then does not find; false: not within 20 s. */
	template <typename Condition>
	bool wait_until(Condition condition) const
	{
		const auto end =
			std::chrono::steady_clock::now() + std::chrono::seconds(20) * slowness();

		while (!condition()) {
			if (!read_next(end))
				return condition();
		}
		return true;
	}

private:
	/* false: there was none. */
	bool read_next(std::chrono::steady_clock::time_point end) const;

	const std::filesystem::path dir_ = "/sys/kernel/tracing/instances/oac-test";
	std::filesystem::path enable_;
	std::optional<node> pipe_;
	bool is_there_ = false;
};

} // namespace oac::abi
