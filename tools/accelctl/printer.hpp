// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The two printers, for people and for programs. They walk any value tree and know no verb.
#pragma once

#include <string>

#include "report.hpp"

namespace accelctl
{

/// Lists of flat objects become tables, other objects "name  value" lines. Units move from the
/// field names into the values: "chip_temp_celsius": 41.5 is shown as "41.5 C" under "chip temp".
std::string table_text(const tree &body);

/// indent < 0: on one line. Text that is not UTF-8 is repaired: the output is always JSON.
std::string json_text(const tree &body, int indent);

} // namespace accelctl
