// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Who is told of a queue's reaps: each wait for a timeline of its context, whichever was there first.
#include <memory>

#include <gtest/gtest.h>

#include <device.hpp>
#include <queue.hpp>

#include "dead_backend.hpp"

namespace
{

class listeners : public ::testing::Test
{
protected:
	static accel_device &with_backend(accel_device &device)
	{
		device.backend = std::make_unique<accel::test::dead_backend>();
		return device;
	}

	std::unique_ptr<accel_queue> make_queue()
	{
		accel::queue_rings how;
		how.depth_log2 = 4;
		auto made = std::make_unique<accel_queue>(context_, how, true);
		context_.add_queue(made.get());
		return made;
	}

	accel_device device_;
	accel_context context_{ with_backend(device_) };
};

TEST_F(listeners, are_those_before_and_after_the_queue_was_made)
{
	auto first = make_queue();
	EXPECT_EQ(first->listeners, 0u);
	context_.add_watcher();
	EXPECT_EQ(first->listeners, 1u);
	auto second = make_queue();
	EXPECT_EQ(second->listeners, 1u);
	context_.add_watcher();
	EXPECT_EQ(second->listeners, 2u);
	context_.remove_queue(first.get());
	context_.remove_watcher();
	context_.remove_watcher();
	EXPECT_EQ(second->listeners, 0u);
	auto third = make_queue();
	EXPECT_EQ(third->listeners, 0u);
	context_.remove_queue(second.get());
	context_.remove_queue(third.get());
}

} // namespace
