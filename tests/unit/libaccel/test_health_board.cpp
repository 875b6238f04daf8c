// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The event log of the user-space driver, with readers too slow, too early and after its end; and
// which of several conditions is a card's health.
#include "health_board.hpp"

#include <cerrno>

#include <poll.h>

#include <gtest/gtest.h>

using accel::event_reading;
using accel::direct::event_log;
using accel::direct::health_board;

namespace
{

bool is_readable(const accel::event_source &source)
{
	pollfd fd{ source.fd(), POLLIN, 0 };
	return poll(&fd, 1, 0) == 1;
}

void add(event_log &to, std::uint64_t argument)
{
	event_reading event;
	event.code = OAC_EVENT_QUEUE_ERROR;
	event.argument = argument;
	to.add(event);
}

TEST(event_log, each_reader_has_its_own_place)
{
	const auto log = std::make_shared<event_log>();
	for (std::uint64_t i = 1; i <= 5; i++)
		add(*log, i);
	const auto all = log->open(1), late = log->open(0), middle = log->open(4),
		   future = log->open(7);
	std::array<event_reading, 3> found;
	EXPECT_TRUE(is_readable(*all));
	EXPECT_FALSE(is_readable(*late));
	EXPECT_EQ(all->read(found), 3);
	EXPECT_EQ(found[0].sequence, 1u);
	EXPECT_NE(found[0].boot_ns, 0u);
	EXPECT_TRUE(is_readable(*all)) << "two are left";
	EXPECT_EQ(all->read(found), 2);
	EXPECT_FALSE(is_readable(*all));
	EXPECT_EQ(all->read(found), 0);
	EXPECT_EQ(middle->read(found), 2);
	EXPECT_EQ(found[1].sequence, 5u);
	add(*log, 6);
	EXPECT_EQ(late->read(found), 1);
	EXPECT_EQ(found[0].argument, 6u);
	EXPECT_EQ(future->read(found), 0);
	add(*log, 7);
	EXPECT_EQ(future->read(found), 1);
	EXPECT_EQ(found[0].sequence, 7u);
}

TEST(event_log, who_is_too_slow_is_told_how_many_are_gone)
{
	const auto log = std::make_shared<event_log>();
	add(*log, 0);
	const auto slow = log->open(1);
	for (std::size_t i = 0; i < event_log::KEPT + 9; i++)
		add(*log, i);
	std::array<event_reading, 2> found;
	ASSERT_EQ(slow->read(found), 2);
	EXPECT_EQ(found[0].code, OAC_EVENT_MISSED);
	EXPECT_EQ(found[0].argument, 10u);
	EXPECT_EQ(found[0].sequence, 10u) << "the last of those missed";
	EXPECT_EQ(found[1].sequence, 11u);
	std::vector<event_reading> rest(2 * event_log::KEPT);
	EXPECT_EQ(slow->read(rest), static_cast<int>(event_log::KEPT) - 1);
	EXPECT_EQ(log->open(1)->read(found), 2);
	EXPECT_EQ(found[0].code, OAC_EVENT_QUEUE_ERROR) << "all that are kept: none was missed";
}

TEST(event_log, its_end_comes_after_the_last_event)
{
	const auto log = std::make_shared<event_log>();
	const auto reader = log->open(0);
	add(*log, 1);
	log->close();
	add(*log, 2);
	std::array<event_reading, 4> found;
	EXPECT_EQ(reader->read(found), 1);
	EXPECT_TRUE(is_readable(*reader)) << "the end is to be told";
	EXPECT_EQ(reader->read(found), -ENODEV);
	EXPECT_EQ(reader->read(found), -ENODEV);
	EXPECT_EQ(log->open(0)->read(found), -ENODEV);
}

TEST(health_board, the_worst_condition_counts)
{
	const auto log = std::make_shared<event_log>();
	health_board board(*log, 1u << OAC_RUNG_FLR);
	EXPECT_EQ(board.read().reason, unsigned{ OAC_REASON_STARTING });
	board.clear(OAC_REASON_STARTING);
	EXPECT_EQ(board.read().state, unsigned{ OAC_HEALTH_OK });
	EXPECT_EQ(board.read().rungs_allowed, 1u << OAC_RUNG_FLR);
	board.set(OAC_REASON_HOT, 7);
	board.set(OAC_REASON_SENSOR_DEAD, 3);
	EXPECT_EQ(board.read().reason, unsigned{ OAC_REASON_HOT })
		<< "the highest number of equals";
	EXPECT_EQ(board.read().argument, 7u);
	EXPECT_EQ(board.read().action, unsigned{ OAC_ACTION_CHECK_COOLING });
	board.set(OAC_REASON_STARTING);
	EXPECT_EQ(board.read().reason, unsigned{ OAC_REASON_STARTING }) << "it does not work now";
	board.set(OAC_REASON_WEDGED, 1);
	EXPECT_EQ(board.read().state, unsigned{ OAC_HEALTH_FAILED });
	const auto since = board.read().since_ns;
	board.set(OAC_REASON_WEDGED, 2);
	EXPECT_EQ(board.read().since_ns, since) << "nothing new but its argument";
	EXPECT_EQ(board.read().argument, 2u);
}

TEST(health_board, a_reset_forgets_all_but_wrong_answers)
{
	const auto log = std::make_shared<event_log>();
	health_board board(*log, 0);
	board.clear(OAC_REASON_STARTING);
	board.set(OAC_REASON_ECC_LOST);
	board.count_reset();
	EXPECT_EQ(board.read().state, unsigned{ OAC_HEALTH_OK });
	EXPECT_EQ(board.read().generation, 1u);
	board.set(OAC_REASON_SELF_TEST, 4);
	board.count_reset();
	EXPECT_EQ(board.read().reason, unsigned{ OAC_REASON_SELF_TEST });
	EXPECT_EQ(board.generation(), 2u);
}

TEST(health_board, each_change_is_an_event_and_each_rung_counts)
{
	const auto log = std::make_shared<event_log>();
	health_board board(*log, 0);
	const auto reader = log->open(0);
	board.clear(OAC_REASON_STARTING);
	board.set(OAC_REASON_HOT);
	board.set(OAC_REASON_HOT);
	board.clear(OAC_REASON_POWER_BRAKE);
	std::array<event_reading, 8> found;
	ASSERT_EQ(reader->read(found), 2);
	EXPECT_EQ(found[0].code, OAC_EVENT_HEALTH);
	EXPECT_EQ(found[0].argument, unsigned{ OAC_REASON_NONE });
	EXPECT_EQ(found[1].argument, unsigned{ OAC_REASON_HOT });
	board.count_rung(OAC_RUNG_FLR, OAC_CAUSE_HANG, false, 500);
	board.count_rung(OAC_RUNG_FLR, OAC_CAUSE_OPERATOR, true, 100);
	const auto flr = board.rungs()[OAC_RUNG_FLR];
	EXPECT_EQ(flr.tried, 2u);
	EXPECT_EQ(flr.helped, 1u);
	EXPECT_EQ(flr.last_ns, 100u);
	EXPECT_EQ(flr.longest_ns, 500u);
	EXPECT_EQ(flr.last_cause, unsigned{ OAC_CAUSE_OPERATOR });
}

} // namespace
