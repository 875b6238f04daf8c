// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Local memory of the card comes back empty, whoever had it before and however that one ended.
#include "fixture.hpp"
#include "squatter.hpp"

namespace
{

class scrub_test : public api::card_test
{
protected:
	void SetUp() override
	{
		card_test::SetUp();
		if (HasFatalFailure())
			return;
		if (number(ACCEL_NUMBER_LOCAL_MEMORY_BYTES) == 0)
			GTEST_SKIP() << "a card without local memory";
	}

	/// Two cannot have one card without the driver: then this process lets go of it first.
	void lend_card()
	{
		card_ = string(ACCEL_STRING_NAME);
		if (!on_kernel()) {
			ASSERT_EQ(device().close(), 0);
		}
	}

	void take_card_back()
	{
		if (!on_kernel())
			device_.emplace(card_);
	}

	std::string card_;
};

TEST_F(scrub_test, freed_memory_comes_back_empty)
{
	for (unsigned i = 0; i < 3; i++) {
		isolation::local_area area(device());

		ASSERT_EQ(area.find_anything(), "");
		ASSERT_EQ(area.mark(), "");
		/* The mark is seen, or finding nothing would mean nothing. */
		ASSERT_NE(area.find_anything(), "");
	}
}

TEST_F(scrub_test, memory_of_a_killed_process_comes_back_empty)
{
	if (string(ACCEL_STRING_NAME).starts_with("emu:"))
		GTEST_SKIP() << "a card in this process is nobody else's";
	for (unsigned i = 0; i < 2; i++) {
		ASSERT_NO_FATAL_FAILURE(lend_card());
		isolation::squatter other(card_);
		ASSERT_EQ(other.line().substr(0, 7), "marked ") << other.line();
		other.kill();
		ASSERT_NO_THROW(take_card_back());
		/* The driver takes it back in its own time: the free count is what area asks for. */
		isolation::local_area area(device());
		ASSERT_EQ(area.find_anything(), "");
	}
}

} // namespace
