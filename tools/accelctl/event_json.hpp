// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One event as values, whichever way it was read.
#pragma once

#include <accel/accel.h>

#include "report.hpp"

namespace accelctl
{

tree event_json(const accel_event &event);

} // namespace accelctl
