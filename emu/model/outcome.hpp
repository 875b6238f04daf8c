// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How a command, or a step of one, ended: what goes into struct oac_completion.
#pragma once

#include <cstdint>

#include <hw/oac_queue.h>

namespace oac::emu
{

struct outcome {
	std::uint16_t status = OAC_ST_SUCCESS;
	std::uint64_t info = 0; /* result, or the device address of an access fault */

	bool ok() const { return status == OAC_ST_SUCCESS; }
	bool is_access_fault() const
	{
		return status == OAC_ST_ACCESS_FAULT || status == OAC_ST_ACCESS_RIGHTS;
	}
};

} // namespace oac::emu
