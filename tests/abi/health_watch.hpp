// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card's health as its file in sysfs tells of changes: needs no memory, as events and uevents do.
#pragma once

#include <chrono>
#include <string>

#include "device.hpp"

namespace oac::abi
{

class health_watch
{
public:
	explicit health_watch(const std::string &node);

	/* Looks anew at each change; false: it was not so within 30 s. */
	template <typename Condition>
	bool wait_until(Condition condition) const
	{
		const auto end =
			std::chrono::steady_clock::now() + std::chrono::seconds(30) * slowness();

		for (;;) {
			note();
			if (condition())
				return true;
			if (!wait_for_change(end))
				return condition();
		}
	}

private:
	/* What changes from now on is a change. */
	void note() const;
	/* false: there was none. */
	bool wait_for_change(std::chrono::steady_clock::time_point end) const;

	node state_;
};

} // namespace oac::abi
