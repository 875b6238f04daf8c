// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An event as backends tell it, and as the API does.
#pragma once

#include <accel/accel.h>

#include "backend.hpp"

namespace accel
{

accel_event event_of(const event_reading &event) noexcept;

} // namespace accel
