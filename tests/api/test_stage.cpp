// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Staged copies: all sizes, both directions, errors of either side, and work after them.
#include "fixture.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace
{

using namespace std::chrono_literals;
using api::page;

constexpr std::size_t piece = 1 << 20;
constexpr std::size_t room = 3 * piece + 2 * page;

/// Two cards with memory each; the second is the first again if there is no other.
class stage_test : public api::card_test
{
protected:
	void SetUp() override
	{
		card_test::SetUp();
		if (HasFatalFailure())
			return;
		other_.emplace(open_other());
		from_.emplace(device());
		to_.emplace(*other_);
		source_.emplace(device(), *from_, room, accel::map_read);
		destination_.emplace(*other_, *to_, room);
	}

	void fill_source(std::uint32_t seed)
	{
		auto words = source_->buffer().as<std::uint32_t>();
		for (std::uint32_t i = 0; i < words.size(); i++)
			words[i] = (i + seed) * 2654435761u;
		std::ranges::fill(destination_->buffer().as<std::uint8_t>(), std::uint8_t{ 0xee });
	}

	/// What was copied is there, and nothing beside it.
	void expect_copied(std::size_t to, std::size_t from, std::size_t size)
	{
		auto in = source_->buffer().as<std::uint8_t>().subspan(from, size);
		auto all = destination_->buffer().as<std::uint8_t>();
		EXPECT_TRUE(std::ranges::equal(in, all.subspan(to, size))) << size;
		if (to > 0) {
			EXPECT_EQ(all[to - 1], 0xee);
		}
		EXPECT_EQ(all[to + size], 0xee);
	}

	int copy(accel::stage &stage, std::uint64_t to, std::uint64_t from, std::uint64_t size,
		 std::int64_t timeout = ACCEL_TIMEOUT_DEFAULT)
	{
		return accel_stage_copy(stage.get(), to, from, size, timeout);
	}

	std::optional<accel::device> other_;
	std::optional<accel::context> from_, to_;
	std::optional<api::arena> source_, destination_;
};

TEST_F(stage_test, all_sizes_arrive)
{
	accel::stage stage(*from_, *to_);
	std::uint32_t seed = 1;
	for (std::size_t size : { std::size_t{ 0 }, std::size_t{ 1 }, page - 1, page, piece - 1,
				  piece, piece + 1, 2 * piece, 3 * piece + page - 3 }) {
		fill_source(seed++);
		ASSERT_EQ(copy(stage, destination_->address() + 5, source_->address() + 3, size), 0)
			<< accel_error_text();
		expect_copied(5, 3, size);
	}
}

TEST_F(stage_test, longer_than_its_queues_are_deep)
{
	constexpr std::size_t large = 100 * piece + 17;
	if (on_kernel())
		GTEST_SKIP() << "too much memory for a small guest";
	api::arena from(device(), *from_, large), to(*other_, *to_, large);
	auto words = from.buffer().as<std::uint64_t>();
	for (std::size_t i = 0; i < words.size(); i++)
		words[i] = i * 0x9e3779b97f4a7c15;
	accel::stage stage(*from_, *to_);
	stage.copy(to.address(), from.address(), large);
	EXPECT_TRUE(std::ranges::equal(from.buffer().bytes().first(large),
				       to.buffer().bytes().first(large)));
}

TEST_F(stage_test, there_and_back)
{
	accel::stage there(*from_, *to_), back(*to_, *from_);
	api::arena end(device(), *from_, room);
	fill_source(77);
	there.copy(destination_->address(), source_->address(), 2 * piece);
	back.copy(end.address(), destination_->address(), 2 * piece);
	EXPECT_TRUE(std::ranges::equal(source_->buffer().bytes().first(2 * piece),
				       end.buffer().bytes().first(2 * piece)));
}

TEST_F(stage_test, local_to_local_memory)
{
	accel_buffer *raw = nullptr;
	if (accel_buffer_alloc_local(device().get(), page, &raw) == -EOPNOTSUPP)
		GTEST_SKIP() << "no local memory here: " << accel_error_text();
	accel_buffer_free(raw);
	auto here = accel::buffer::local(device(), 2 * piece);
	auto there = accel::buffer::local(*other_, 2 * piece);
	accel::mapping from(*from_, here), to(*to_, there);
	auto words = here.as<std::uint32_t>();
	for (std::uint32_t i = 0; i < words.size(); i++)
		words[i] = ~i;
	accel::stage stage(*from_, *to_);
	stage.copy(to.address(), from.address(), 2 * piece);
	EXPECT_TRUE(std::ranges::equal(words, there.as<std::uint32_t>()));
}

TEST_F(stage_test, one_context_is_both_sides)
{
	accel::stage stage(*from_, *from_);
	api::arena end(device(), *from_, room);
	fill_source(5);
	stage.copy(end.address(), source_->address(), piece + 9);
	EXPECT_TRUE(std::ranges::equal(source_->buffer().bytes().first(piece + 9),
				       end.buffer().bytes().first(piece + 9)));
}

TEST_F(stage_test, a_wrong_address_names_its_side_and_ends_nothing)
{
	accel::stage stage(*from_, *to_);
	const std::uint64_t nowhere = 1ull << 46;
	for (std::size_t size : { page, 3 * piece }) {
		EXPECT_EQ(copy(stage, destination_->address(), nowhere, size), -EIO);
		std::string text = accel_error_text();
		EXPECT_NE(text.find("the source"), std::string::npos) << text;
		EXPECT_NE(text.find(api::text_fault), std::string::npos) << text;
		EXPECT_EQ(copy(stage, nowhere, source_->address(), size), -EIO);
		text = accel_error_text();
		EXPECT_NE(text.find("the destination"), std::string::npos) << text;
		// The memory behind the source may be read only by the card.
		fill_source(static_cast<std::uint32_t>(size));
		ASSERT_EQ(copy(stage, destination_->address(), source_->address(), size), 0)
			<< accel_error_text();
		expect_copied(0, 0, size);
	}
}

TEST_F(stage_test, a_deadline_ends_it_and_the_next_copy_works)
{
	accel::stage stage(*from_, *to_);
	EXPECT_EQ(copy(stage, destination_->address(), source_->address(), 3 * piece, 0),
		  -ETIMEDOUT);
	EXPECT_NE(std::string_view(accel_error_text()).find("not done in time"),
		  std::string_view::npos);
	fill_source(9);
	ASSERT_EQ(copy(stage, destination_->address(), source_->address(), 3 * piece), 0)
		<< accel_error_text();
	expect_copied(0, 0, 3 * piece);
}

TEST_F(stage_test, threads_take_turns)
{
	accel::stage stage(*from_, *to_);
	constexpr std::size_t part = room / 4 / page * page;
	fill_source(11);
	std::vector<std::thread> threads;
	for (std::size_t i = 0; i < 4; i++)
		threads.emplace_back([&, i] {
			for (unsigned round = 0; round < 4; round++)
				EXPECT_EQ(copy(stage, destination_->address() + i * part,
					       source_->address() + i * part, part),
					  0)
					<< accel_error_text();
		});
	for (std::thread &one : threads)
		one.join();
	EXPECT_TRUE(std::ranges::equal(source_->buffer().bytes().first(4 * part),
				       destination_->buffer().bytes().first(4 * part)));
}

TEST_F(stage_test, contexts_outlive_it)
{
	{
		accel::stage stage(*from_, *to_);
		EXPECT_EQ(from_->close(), -EBUSY);
		EXPECT_EQ(to_->close(), -EBUSY);
	}
	source_.reset();
	destination_.reset();
	EXPECT_EQ(from_->close(), 0) << accel_error_text();
	EXPECT_EQ(to_->close(), 0) << accel_error_text();
	EXPECT_EQ(other_->close(), 0) << accel_error_text();
}

TEST_F(stage_test, arguments_are_checked)
{
	accel::stage stage(*from_, *to_);
	accel_stage *raw = nullptr;
	EXPECT_EQ(accel_stage_create(nullptr, to_->get(), &raw), -EINVAL);
	EXPECT_EQ(accel_stage_create(from_->get(), nullptr, &raw), -EINVAL);
	EXPECT_EQ(accel_stage_create(from_->get(), to_->get(), nullptr), -EINVAL);
	EXPECT_EQ(raw, nullptr);
	EXPECT_EQ(accel_stage_copy(nullptr, 0, 0, 0, 0), -EINVAL);
	EXPECT_EQ(copy(stage, destination_->address(), source_->address(), 1, -2), -EINVAL);
	EXPECT_EQ(copy(stage, destination_->address(), UINT64_MAX, 2), -EINVAL);
	accel_stage_destroy(nullptr);
}

} // namespace
