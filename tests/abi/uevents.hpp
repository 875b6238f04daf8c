// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the kernel tells udev, from the moment that a reader is made.
#pragma once

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

private:
	void read_until_all(const std::vector<std::string> &words) const;

	node fd_;
};

} // namespace oac::abi
