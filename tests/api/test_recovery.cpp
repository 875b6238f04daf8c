// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a reset leaves of a program's handles: completions of all commands, then ESTALE; memory that
// stays and memory that does not; who waits is woken. By the operator's reset, on every backend.
#include "fixture.hpp"
#include "../support/asleep.hpp"

#include <atomic>
#include <future>
#include <semaphore>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace
{

constexpr const char *text_unknown =
	"the card was reset while it had the command: done, not done, or in part";
constexpr const char *text_not_run =
	"the card was reset before the command began: nothing of it is done";

class recovery_test : public api::queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (!HasFatalFailure() && on_kernel() && geteuid() != 0)
			GTEST_SKIP() << "resetting a card needs CAP_SYS_ADMIN";
	}
	void reset(accel::rung by = ACCEL_RUNG_SOFT_RESET) { device().reset(by, 60s); }
	/// A command that never ends, in the queue's way: waits for a value that never comes.
	void block(accel::queue &in, const accel::timeline &gate, std::uint32_t tag)
	{
		ASSERT_EQ(in.try_wait(gate, 1, tag), 0);
		ASSERT_EQ(in.submit(), 0);
	}
};

TEST_F(recovery_test, each_command_gets_its_completion)
{
	accel::timeline gate(context());
	auto word = memory().take<std::uint64_t>(4);
	ASSERT_EQ(queue().try_fill(word.address, 8, std::uint64_t{ 1 }, 10), 0);
	ASSERT_EQ(queue().try_fill(0x7fff'0000'0000 - 4096, 0, std::uint64_t{ 1 }, 11), 0);
	block(queue(), gate, 12);
	ASSERT_EQ(queue().try_fill(word.address + 8, 8, std::uint64_t{ 2 }, 13), 0);
	ASSERT_EQ(queue().submit(), 0);
	while (queue().arm() == 0) {
		pollfd fd{ queue().fd(), POLLIN, 0 };
		ASSERT_EQ(poll(&fd, 1, 20000), 1);
	}
	accel::queue other(context(), 4u);
	EXPECT_DONE(api::run(other, [&](auto tag) { return other.try_nop(tag); }));
	ASSERT_EQ(queue().try_nop(14), 0);	// written, and not submitted
	reset();

	EXPECT_EQ(queue().submit(), -ESTALE);
	EXPECT_NE(std::string(accel_error_text()).find("destroy it"), std::string::npos);
	std::vector<accel::completion> done(16);
	int have = 0;
	while (have < 5) {
		const int got = queue().reap(std::span(done).subspan(have));
		ASSERT_GT(got, 0) << accel_error_text();
		have += got;
	}
	ASSERT_EQ(have, 5);
	EXPECT_EQ(queue().outstanding(), 0u);
	EXPECT_DONE(done[0]);
	EXPECT_DONE(done[1]);
	EXPECT_EQ(done[2].result, -EIO);
	EXPECT_STREQ(accel_code_text(done[2].code), text_unknown);
	for (int i = 3; i < 5; i++) {
		EXPECT_EQ(done[i].result, -ECANCELED) << i;
		EXPECT_STREQ(accel_code_text(done[i].code), text_not_run) << i;
	}
	for (std::uint32_t i = 0; i < 5; i++)
		EXPECT_EQ(done[i].tag, 10 + i);
	EXPECT_EQ(word.host[0], 1u);
	EXPECT_EQ(word.host[1], 0u) << "it was said not to be done";

	EXPECT_EQ(queue().reap(done), -ESTALE);
	EXPECT_EQ(queue().wait(done, 1s), -ESTALE);
	EXPECT_EQ(queue().arm(), -ESTALE);
	EXPECT_EQ(queue().submit(), -ESTALE);
	EXPECT_EQ(other.submit(), -ESTALE) << "an idle queue of the context, too";
	EXPECT_EQ(other.reap(done), -ESTALE);
	// What is written later is not forgotten either.
	ASSERT_EQ(queue().try_nop(20), 0);
	EXPECT_EQ(queue().submit(), -ESTALE);
	EXPECT_EQ(queue().arm(), 1) << "there is a completion";
	EXPECT_EQ(queue().wait(done, 1s), 1);
	EXPECT_EQ(done[0].tag, 20u);
	EXPECT_STREQ(accel_code_text(done[0].code), text_not_run);
	EXPECT_EQ(queue().reap(done), -ESTALE);
}

/// A full ring of completions, taken one by one and many at once.
TEST_F(recovery_test, a_full_queue_ends_in_order)
{
	for (const std::size_t at_once : { 1, 7, 64 }) {
		SCOPED_TRACE(at_once);
		accel::context in(device());
		accel::timeline gate(in);
		accel::queue full(in, 64u);
		ASSERT_EQ(full.try_wait(gate, 1, 0), 0);
		for (std::uint32_t tag = 1; tag < 64; tag++)
			ASSERT_EQ(full.try_nop(tag), 0);
		EXPECT_EQ(full.try_nop(64), -EAGAIN);
		ASSERT_EQ(full.submit(), 0);
		reset();
		std::vector<accel::completion> done(at_once);
		std::uint32_t next = 0;
		for (int got; (got = full.wait(done, 10s)) > 0;) {
			for (int i = 0; i < got; i++) {
				EXPECT_EQ(done[i].tag, next++);
				EXPECT_TRUE(done[i].result == -ECANCELED || done[i].result == -EIO);
			}
		}
		EXPECT_EQ(next, 64u);
	}
}

TEST_F(recovery_test, a_context_is_lost_and_another_works)
{
	const auto generation = device().health().generation;
	EXPECT_EQ(context().lost(), ACCEL_LOST_NO);
	reset();
	EXPECT_GT(device().health().generation, generation);
	EXPECT_EQ(context().lost(), ACCEL_LOST_INNOCENT) << "nobody's command was the cause";
	accel_usage usage{};
	EXPECT_EQ(accel_context_usage(context().get(), &usage), -ESTALE);
	accel_timeline *timeline = nullptr;
	EXPECT_EQ(accel_timeline_create(context().get(), &timeline), -ESTALE);
	accel_queue *made = nullptr;
	EXPECT_EQ(accel_queue_create(context().get(), 4, 1, &made), -ESTALE);
	EXPECT_NE(std::string(accel_error_text()).find("accel_context_lost"), std::string::npos);

	// Host memory is as good as before, in another context.
	accel::buffer buffer(device(), api::page);
	buffer.as<std::uint32_t>()[0] = 77;
	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(context().get(), buffer.get(), 0, 0, accel::map_read, &address),
		  -ESTALE);
	accel::context fresh(device());
	accel::mapping again(fresh, memory().buffer()), mapped(fresh, buffer);
	accel::queue copier(fresh, 4u);
	EXPECT_DONE(api::run(copier, [&](auto tag) {
		return copier.try_copy(again.address(), mapped.address(), 4, tag);
	}));
	EXPECT_EQ(memory().buffer().as<std::uint32_t>()[0], 77u);
	EXPECT_EQ(fresh.lost(), ACCEL_LOST_NO);
	EXPECT_EQ(context().lost(), ACCEL_LOST_INNOCENT) << "whatever became of its number";
}

TEST_F(recovery_test, local_memory_does_not_survive)
{
	std::optional<accel::buffer> local;
	try {
		local.emplace(accel::buffer::local(device(), api::page));
	} catch (const std::system_error &error) {
		GTEST_SKIP() << error.what();
	}
	reset();
	accel::context fresh(device());
	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(fresh.get(), local->get(), 0, 0, accel::map_read, &address),
		  -ESTALE);
	accel::buffer other = accel::buffer::local(device(), api::page);
	EXPECT_NO_THROW(accel::mapping(fresh, other));
	EXPECT_EQ(local->close(), 0);
}

TEST_F(recovery_test, unmap_after_a_reset_frees_the_buffer)
{
	accel::buffer buffer(device(), api::page);
	std::uint64_t address = 0;
	ASSERT_EQ(accel_buffer_map(context().get(), buffer.get(), 0, 0, accel::map_read, &address),
		  0);
	EXPECT_EQ(buffer.close(), -EBUSY);
	reset();
	EXPECT_EQ(accel_buffer_unmap(context().get(), address), -ESTALE);
	EXPECT_EQ(accel_buffer_unmap(context().get(), address), -ENOENT)
		<< "it is gone all the same";
	EXPECT_EQ(buffer.close(), 0);
}

/// One thread each in every call that sleeps.
TEST_F(recovery_test, who_waits_is_woken)
{
	accel::timeline gate(context()), idle(context());
	block(queue(), gate, 1);
	const auto start = std::chrono::steady_clock::now();
	std::promise<pid_t> waiter, watcher, poller;
	auto waits = std::async(std::launch::async, [&] {
		waiter.set_value(gettid());
		std::vector<accel::completion> done(4);
		const int got = queue().wait(done, 30s);
		EXPECT_EQ(got, 1);
		EXPECT_EQ(done[0].tag, 1u);
		return queue().wait(done, 30s);
	});
	auto watches = std::async(std::launch::async, [&] {
		watcher.set_value(gettid());
		return gate.wait(1, 30s);
	});
	accel::queue polled(context(), 4u);
	ASSERT_EQ(polled.try_wait(gate, 1, 9), 0);
	ASSERT_EQ(polled.submit(), 0);
	auto polls = std::async(std::launch::async, [&] {
		poller.set_value(gettid());
		while (polled.arm() == 0) {
			pollfd fd{ polled.fd(), POLLIN, 0 };
			if (poll(&fd, 1, 30000) <= 0)
				return -ETIMEDOUT;
			std::uint64_t events;
			static_cast<void>(!read(fd.fd, &events, sizeof(events)));
		}
		accel::completion one;
		return polled.reap({ &one, 1 });
	});
	for (auto *thread : { &waiter, &watcher, &poller })
		EXPECT_TRUE(support::wait_until_asleep(thread->get_future().get()));
	reset();
	EXPECT_EQ(waits.get(), -ESTALE);
	EXPECT_EQ(watches.get(), -ESTALE);
	EXPECT_EQ(polls.get(), 1);
	EXPECT_EQ(idle.wait(1, 30s), -ESTALE) << "begun afterwards";
	EXPECT_LT(std::chrono::steady_clock::now() - start, 20s)
		<< "by the reset, not by deadlines";
	EXPECT_EQ(idle.signal(1), 0);
	EXPECT_EQ(idle.wait(1, 0s), 0) << "its value is in host memory";
}

TEST_F(recovery_test, a_stage_ends)
{
	accel::context other(device());
	api::arena there(device(), other, 1 << 16);
	accel::stage stage(context(), other);
	auto from = memory().take<std::uint64_t>(1);
	auto to = there.take<std::uint64_t>(1);
	from.host[0] = 5;
	EXPECT_NO_THROW(stage.copy(to.address, from.address, 8));
	EXPECT_EQ(to.host[0], 5u);
	reset();
	try {
		stage.copy(to.address, from.address, 8);
		ADD_FAILURE() << "copied in a lost context";
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code().value(), ESTALE) << error.what();
	}
}

TEST_F(recovery_test, every_rung_brings_it_back_and_is_counted)
{
	for (const accel::rung by :
	     { ACCEL_RUNG_SOFT_RESET, ACCEL_RUNG_FLR, ACCEL_RUNG_BUS_RESET, ACCEL_RUNG_FIRMWARE }) {
		SCOPED_TRACE(accel_rung_name(by));
		const auto before = device().history(by);
		accel::event_stream stream = device().watch_events();
		const int result = accel_device_reset(device().get(), by, 60'000'000'000);
		if (result == -EOPNOTSUPP)
			continue;
		ASSERT_EQ(result, 0) << accel_error_text();
		const auto after = device().history(by);
		EXPECT_EQ(after.tried, before.tried + 1);
		EXPECT_EQ(after.helped, before.helped + 1);
		EXPECT_STREQ(accel_cause_name(after.last_cause), "operator");
		EXPECT_NE(after.last_ns, 0u);
		EXPECT_GE(after.longest_ns, after.last_ns);
		EXPECT_EQ(device().health().state_name(), "ok") << device().health().reason_name();
		api::expect_works(device());

		std::vector<std::string> seen;
		accel::event one{};
		while (stream.read({ &one, 1 }, 10s) == 1) {
			seen.emplace_back(accel_event_name(one.code));
			if (seen.back() == "RECOVERED")
				break;
		}
		ASSERT_FALSE(seen.empty());
		EXPECT_EQ(seen.back(), "RECOVERED");
		EXPECT_EQ(one.argument, static_cast<unsigned>(by));
		EXPECT_EQ(std::count(seen.begin(), seen.end(), "RECOVERY"), 1);
	}
}

/// Threads that submit, reap and wait while the card is reset under them: every command is told of.
TEST_F(recovery_test, under_load_nothing_is_lost_or_told_twice)
{
	for (int round = 0; round < 8; round++) {
		accel::context in(device());
		accel::queue busy(in, 32u);
		std::atomic<std::uint32_t> written{ 0 };
		std::vector<unsigned> told(1 << 20);
		constexpr std::uint32_t enough = 64;
		std::binary_semaphore has_begun{ 0 };
		std::jthread writer([&](std::stop_token stop) {
			while (!stop.stop_requested() && written < told.size()) {
				const int result = busy.try_nop(written);
				if (result == 0)
					written++;
				else
					std::this_thread::yield();
				if (const int sent = busy.submit(); sent != 0) {
					/* Through the driver it may come while the reset is at work. */
					EXPECT_TRUE(sent == -ESTALE || sent == -EHOSTDOWN)
						<< sent << ": " << accel_error_text();
					return;
				}
			}
		});
		auto reaper = std::async(std::launch::async, [&] {
			std::vector<accel::completion> done(32);
			for (bool is_told = false;;) {
				const int got = busy.wait(done, 30s);
				if (got < 0)
					return got;
				for (int i = 0; i < got; i++)
					told.at(done[i].tag)++;
				if (done[0].tag >= enough && !std::exchange(is_told, true))
					has_begun.release();
			}
		});
		EXPECT_TRUE(has_begun.try_acquire_for(20s));
		reset();
		EXPECT_EQ(reaper.get(), -ESTALE);
		writer.join();
		accel::completion one;
		while (busy.reap({ &one, 1 }) == 1)
			told.at(one.tag)++;
		for (std::uint32_t tag = 0; tag < written; tag++)
			ASSERT_EQ(told[tag], 1u) << tag << " of " << written;
	}
}

/// Destroying in any order after the fact, and more resets over what is lost already.
TEST_F(recovery_test, lost_handles_go_quietly)
{
	auto in = std::make_unique<accel::context>(device());
	auto queue = std::make_unique<accel::queue>(*in, 4u);
	auto timeline = std::make_unique<accel::timeline>(*in);
	reset();
	reset();
	EXPECT_EQ(in->close(), -EBUSY);
	queue.reset();
	timeline.reset();
	EXPECT_EQ(in->close(), 0);
	api::expect_works(device());
}

TEST_F(recovery_test, other_handles_of_the_card_are_told)
{
	accel::device same(string(ACCEL_STRING_NAME));
	accel::context there(same);
	accel::queue idle(there, 4u);
	reset();
	EXPECT_EQ(idle.wait({ std::make_unique<accel::completion>().get(), 1 }, 5s), -ESTALE);
	EXPECT_EQ(there.lost(), ACCEL_LOST_INNOCENT);
	api::expect_works(same);
}

} // namespace
