// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Many threads on one device: each with a queue of its own, and all of them with everything that
// may be shared.
#include "fixture.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace
{

constexpr unsigned threads = 8;

class thread_test : public api::queue_test
{
protected:
	void in_threads(const std::function<void(unsigned index)> &work)
	{
		std::vector<std::thread> all;
		for (unsigned i = 0; i < threads; i++)
			all.emplace_back([&work, i] {
				try {
					work(i);
				} catch (const std::exception &error) {
					ADD_FAILURE() << "thread " << i << ": " << error.what();
				}
			});
		for (std::thread &one : all)
			one.join();
	}
};

/// Fills and copies words of its own part of memory; every one of them must be right.
void work_on(accel::queue &queue, api::arena::piece<std::uint64_t> words, unsigned rounds,
	     std::uint64_t seed)
{
	for (std::uint64_t i = 0; i < rounds; i++) {
		ASSERT_EQ(queue.try_fill(words.address, 8, seed + i, 1), 0);
		ASSERT_EQ(queue.try_barrier(2), 0);
		ASSERT_EQ(queue.try_copy(words.address + 8, words.address, 8, 3), 0);
		ASSERT_EQ(queue.submit(), 0);
		for (const auto &done : api::collect(queue, 3))
			ASSERT_EQ(done.result, 0) << accel_code_text(done.code);
		ASSERT_EQ(words.host[1], seed + i);
	}
}

TEST_F(thread_test, a_queue_each_in_one_context)
{
	std::vector<api::arena::piece<std::uint64_t>> words;
	for (unsigned i = 0; i < threads; i++)
		words.push_back(memory().take<std::uint64_t>(8));
	in_threads([&](unsigned index) {
		accel::queue own(context(), 8);
		work_on(own, words[index], scaled(1000), std::uint64_t{ index } << 32);
	});
}

TEST_F(thread_test, a_context_each)
{
	in_threads([&](unsigned index) {
		accel::context own(device());
		api::arena part(device(), own, api::page);
		accel::queue queue(own, 8);
		work_on(queue, part.take<std::uint64_t>(8), scaled(500),
			std::uint64_t{ index } << 32);
	});
}

TEST_F(thread_test, a_device_each)
{
	auto names = api::card_names();
	if (names.size() < 2)
		GTEST_SKIP() << "needs two cards, there is " << names.size();
	queue_.reset();
	memory_.reset();
	context_.reset();
	ASSERT_EQ(device().close(), 0);
	std::vector<std::thread> all;
	for (const std::string &name : { names[0], names[1] })
		all.emplace_back([name, rounds = scaled(500)] {
			accel::device card(name);
			accel::context own(card);
			api::arena part(card, own, api::page);
			accel::queue queue(own, 8);
			work_on(queue, part.take<std::uint64_t>(8), rounds, 1);
		});
	for (std::thread &one : all)
		one.join();
}

TEST_F(thread_test, objects_come_and_go_together)
{
	in_threads([&](unsigned index) {
		for (unsigned i = 0; i < scaled(50); i++) {
			accel::buffer buffer(device(), (index + 1) * api::page);
			accel::mapping mapping(context(), buffer);
			accel::timeline timeline(context());
			accel::queue queue(context(), 4);
			EXPECT_EQ(queue.try_signal(timeline, i + 1, 1), 0);
			EXPECT_EQ(queue.submit(), 0);
			EXPECT_EQ(timeline.wait(i + 1), 0) << accel_error_text();
		}
	});
}

TEST_F(thread_test, telemetry_beside_work)
{
	std::atomic<bool> stop{ false };
	std::thread reader([&] {
		while (!stop) {
			device().read_telemetry();
			device().events();
			device().number(ACCEL_NUMBER_QUEUES);
			device().string(ACCEL_STRING_STATE);
		}
	});
	work_on(queue(), memory().take<std::uint64_t>(8), scaled(1000), 1);
	stop = true;
	reader.join();
}

TEST_F(thread_test, errors_of_one_do_not_reach_the_others)
{
	std::vector<api::arena::piece<std::uint64_t>> words;
	for (unsigned i = 0; i < threads; i++)
		words.push_back(memory().take<std::uint64_t>(8));
	in_threads([&](unsigned index) {
		if (index % 2) {
			accel::queue own(context(), 8);
			work_on(own, words[index], scaled(300), index);
			return;
		}
		for (unsigned i = 0; i < scaled(100); i++) {
			accel::queue doomed(context(), 8);
			auto done = api::run(doomed, [&](auto tag) {
				return doomed.try_fill(0x7fff'0000'0000, 8, 0u, tag);
			});
			ASSERT_EQ(done.result, -EFAULT);
		}
	});
}

/// Each thread writes and reaps what anybody wrote; all tags must come, each once.
TEST_F(thread_test, one_queue_for_all)
{
	const unsigned each = scaled(4000);
	accel::queue shared(context(), 64);
	std::vector<std::atomic<std::uint8_t>> seen(threads * each);
	std::atomic<unsigned> reaped{ 0 };
	const auto reap = [&](accel::timeout how) {
		accel::completion done[8];
		int got = shared.wait(done, how);
		for (int i = 0; i < got; i++) {
			ASSERT_EQ(done[i].result, 0);
			ASSERT_EQ(seen.at(done[i].tag)++, 0);
		}
		if (got > 0)
			reaped += static_cast<unsigned>(got);
		else
			ASSERT_EQ(got, -ETIMEDOUT) << accel_error_text();
	};
	in_threads([&](unsigned index) {
		for (std::uint32_t i = 0; i < each; i++) {
			int result;
			while ((result = shared.try_nop(index * each + i)) == -EAGAIN)
				ASSERT_NO_FATAL_FAILURE(reap(std::chrono::microseconds(100)));
			ASSERT_EQ(result, 0);
			ASSERT_EQ(shared.submit(), 0);
		}
	});
	while (reaped < threads * each && !HasFailure())
		ASSERT_NO_FATAL_FAILURE(reap(accel::timeout()));
	EXPECT_EQ(reaped, threads * each);
	EXPECT_EQ(shared.outstanding(), 0u);
}

/// As many waiters as completions, all asleep before the first: each gets one.
TEST_F(thread_test, every_waiter_gets_one)
{
	for (unsigned round = 0; round < scaled(100); round++) {
		accel::timeline gate(context());
		ASSERT_EQ(queue().try_wait(gate, 1, 0), 0);
		for (std::uint32_t tag = 1; tag < threads; tag++)
			ASSERT_EQ(queue().try_nop(tag), 0);
		ASSERT_EQ(queue().submit(), 0);
		std::thread opener([&] { EXPECT_EQ(gate.signal(1), 0); });
		in_threads([&](unsigned) {
			accel::completion one{};
			EXPECT_EQ(queue().wait({ &one, 1 }), 1) << accel_error_text();
		});
		opener.join();
		ASSERT_EQ(queue().outstanding(), 0u);
	}
}

TEST_F(thread_test, waiters_for_nothing_end_by_their_deadline_or_the_error)
{
	in_threads([&](unsigned) {
		accel::completion one{};
		EXPECT_EQ(accel_queue_wait(queue().get(), &one, 1, 20'000'000), -ETIMEDOUT);
	});
	EXPECT_EQ(api::run(queue(),
			   [&](auto tag) { return queue().try_fill(0x7fff'0000'0000, 8, 0u, tag); })
			  .result,
		  -EFAULT);
	in_threads([&](unsigned) {
		accel::completion one{};
		EXPECT_EQ(queue().wait({ &one, 1 }), -EIO) << accel_error_text();
	});
}

} // namespace
