// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An open card with a neighbour at work on it; each test ends by asking the neighbour whether all
// is well.
#pragma once

#include <memory>

#include "neighbour.hpp"

namespace isolation
{

class isolation_test : public api::card_test
{
protected:
	void SetUp() override
	{
		card_test::SetUp();
		if (HasFatalFailure())
			return;
		neighbour_ = on_kernel() ? make_process(string(ACCEL_STRING_NAME)) :
					   make_thread(device());
		ASSERT_EQ(neighbour_->check(), "");
	}

	void TearDown() override
	{
		if (!neighbour_)
			return;
		EXPECT_EQ(neighbour_->check(), "");
		neighbour_.reset();
		EXPECT_EQ(string(ACCEL_STRING_STATE), "running");
	}

	std::unique_ptr<neighbour> neighbour_;
};

} // namespace isolation
