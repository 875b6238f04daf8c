// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events: what an error leaves behind, reading on from a sequence number, the catalogue of codes.
#include "fixture.hpp"

namespace
{

class event_test : public api::queue_test
{
protected:
	std::uint64_t last_sequence()
	{
		std::uint64_t last = 0;
		for (;;) {
			auto events = device().events(last + 1);
			if (events.empty())
				return last;
			last = events.back().sequence;
		}
	}

	/// The first event of that name from a sequence number on.
	std::optional<accel::event> find(std::string_view name, std::uint64_t from)
	{
		for (const accel::event &event : device().events(from, 256)) {
			const char *text = accel_event_name(event.code);
			if (text && name == text)
				return event;
		}
		return std::nullopt;
	}
};

TEST_F(event_test, catalogue_is_complete)
{
	unsigned known = 0;
	for (std::uint32_t code = 0; code < 256; code++) {
		const char *name = accel_event_name(code);
		EXPECT_EQ(name != nullptr, accel_event_text(code) != nullptr) << code;
		EXPECT_EQ(name != nullptr, accel_event_action(code) != nullptr) << code;
		known += name != nullptr;
	}
	EXPECT_GE(known, 8u);
	EXPECT_EQ(accel_event_name(UINT32_MAX), nullptr);
}

TEST_F(event_test, arguments_are_checked)
{
	accel_event event{};
	EXPECT_EQ(accel_events_read(nullptr, 0, &event, 1), -EINVAL);
	EXPECT_EQ(accel_events_read(device().get(), 0, nullptr, 1), -EINVAL);
	EXPECT_EQ(accel_events_read(device().get(), 0, &event, -1), -EINVAL);
	EXPECT_EQ(accel_events_read(device().get(), UINT64_MAX, &event, 1), 0);
}

TEST_F(event_test, sequence_goes_up_by_one)
{
	auto events = device().events(0, 1000);
	ASSERT_FALSE(events.empty()) << "a card that runs has booted";
	for (std::size_t i = 1; i < events.size(); i++) {
		EXPECT_EQ(events[i].sequence, events[i - 1].sequence + 1);
		EXPECT_GE(events[i].card_ns, events[i - 1].card_ns);
		EXPECT_LE(events[i].severity, 3u);
	}
}

TEST_F(event_test, fault_is_reported_with_its_address)
{
	std::uint64_t from = last_sequence() + 1;
	EXPECT_LT(api::run(queue(),
			   [&](auto tag) { return queue().try_fill(0x7ffe'0000'0040, 8, 0u, tag); })
			  .result,
		  0);

	auto fault = find("ACCESS_FAULT", from);
	ASSERT_TRUE(fault);
	EXPECT_EQ(fault->argument, 0x7ffe'0000'0040u);
	EXPECT_EQ(fault->severity, 2u);
	EXPECT_GE(fault->sequence, from);
}

TEST_F(event_test, refused_operator_is_reported)
{
	std::uint64_t from = last_sequence() + 1;
	accel::gemm op{};
	op.m = op.n = op.k = 4;
	op.a = op.b = memory().address();
	op.out = memory().address() + 4096;
	op.k = UINT16_MAX + 2;	// more than a dimension may be
	if (queue().try_exec(op, 1) != 0)
		GTEST_SKIP() << "the library refuses it before the card can";
	ASSERT_EQ(queue().submit(), 0);
	ASSERT_EQ(api::collect(queue(), 1).size(), 1u);
	EXPECT_TRUE(find("QUEUE_ERROR", from));
}

TEST_F(event_test, reading_goes_on_where_it_stopped)
{
	std::uint64_t from = last_sequence() + 1;
	for (unsigned i = 0; i < 5; i++) {
		accel::queue doomed(context(), 4u);
		api::run(doomed,
			 [&](auto tag) { return doomed.try_fill(0x7fff'0000'0000, 8, 0u, tag); });
	}
	auto all = device().events(from, 100);
	ASSERT_GE(all.size(), 5u);
	std::uint64_t next = from;
	for (const auto &event : all) {
		auto one = device().events(next, 1);
		ASSERT_EQ(one.size(), 1u);
		EXPECT_EQ(one[0].sequence, event.sequence);
		EXPECT_EQ(one[0].code, event.code);
		next = one[0].sequence + 1;
	}
	EXPECT_TRUE(device().events(next).empty());
}

} // namespace
