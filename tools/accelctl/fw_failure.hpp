// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// oac::fw::error as the failure that accelctl prints.
#pragma once

#include <fw_error.hpp>

#include "failure.hpp"

namespace accelctl
{

/// Runs body; what oac_fw throws becomes a failure: "firmware: text".
template <typename Body>
auto with_fw_errors(Body &&body)
{
	try {
		return body();
	} catch (const oac::fw::error &e) {
		throw failure(exit_code_of(e.code()), "firmware", e.what());
	}
}

} // namespace accelctl
