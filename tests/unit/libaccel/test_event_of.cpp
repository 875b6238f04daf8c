// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events of a card that says what is in no list.
#include <gtest/gtest.h>

#include <event_of.hpp>

namespace
{

accel::event_reading of(unsigned severity, unsigned action)
{
	oac_event event{};
	event.severity = static_cast<__u8>(severity);
	event.action = static_cast<__u8>(action);
	return accel::event_of(event);
}

TEST(event_of, keeps_what_is_in_the_lists)
{
	for (unsigned severity = 0; severity <= OAC_SEVERITY_CARD_FATAL; severity++)
		EXPECT_EQ(of(severity, 0).severity, severity);
	for (unsigned action = 0; action <= OAC_ACTION_REPLACE_CARD; action++)
		EXPECT_EQ(of(0, action).action, action);
}

TEST(event_of, takes_an_unknown_severity_for_the_worst_and_an_unknown_action_for_none)
{
	for (const unsigned unknown : { OAC_SEVERITY_CARD_FATAL + 1u, 0x80u, 0xffu })
		EXPECT_EQ(of(unknown, 0).severity, OAC_SEVERITY_CARD_FATAL);
	for (const unsigned unknown : { OAC_ACTION_REPLACE_CARD + 1u, 0x80u, 0xffu })
		EXPECT_EQ(of(0, unknown).action, OAC_ACTION_NONE);
}

} // namespace
