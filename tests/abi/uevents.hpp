// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the kernel tells udev, from the moment that a reader is made.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "device.hpp"

namespace oac::abi
{

class uevent_reader
{
public:
	uevent_reader();
	/*
	 * Waits for a uevent that has all of these words; its absence is a failure. What came before
	 * is read no more.
	 */
	template <typename... Words>
	void read_until(const Words &...words) const
	{
		read_until_all({ words... });
	}
	/* Looks anew at each uevent, whichever it is; false: it was not so within a minute. */
	template <typename Condition>
	bool wait_until(Condition condition) const
	{
		const auto end =
			std::chrono::steady_clock::now() + std::chrono::minutes(1) * slowness();

		while (!condition()) {
			if (!read_next(end))
				return condition();
		}
		return true;
	}

private:
	void read_until_all(const std::vector<std::string> &words) const;
	/* Any one; false: there was none. Those that there was no room for count, too. */
	bool read_next(std::chrono::steady_clock::time_point end) const;

	node fd_;
};

} // namespace oac::abi
