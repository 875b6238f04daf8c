// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a run found, and how it is shown: a table for people, JSON for machines, from one record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <accel/accel.hpp>

namespace digits
{

struct report {
	std::vector<std::string> firmware;	/* per card */
	std::size_t images = 0;			/* classified on cards, over all passes */
	std::size_t held_out = 0;
	double accuracy_fp32 = 0, accuracy_int8 = 0;	/* on held-out images, 0..1 */
	std::size_t mismatches = 0;		/* logits that differ from the host's, over all passes */
	double seconds = 0;
	std::uint64_t bytes_to_cards = 0, bytes_from_cards = 0;
	nlohmann::ordered_json health;		/* array, one object per card */
};

/* One row of the health table. */
nlohmann::ordered_json card_health(const accel::device &device);

nlohmann::ordered_json to_json(const report &result);
void print(const report &result);

} // namespace digits
