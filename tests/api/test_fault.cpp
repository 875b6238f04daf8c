// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards that misbehave, emulated in this process: each fault, what was done about it, what was lost,
// and the next good answer.
#include "fixture.hpp"

#include "../support/asleep.hpp"

#include <future>

#include "card_control.hpp"

using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;

double ms_since(clock::time_point start)
{
	return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

class fault_test : public api::card_test
{
protected:
	/// A program on the card: a context with a queue.
	struct program {
		explicit program(const accel::device &on)
			: context(on), memory(on, context, 65536), queue(context, 16u)
		{
		}
		accel::context context;
		api::arena memory;
		accel::queue queue;
	};

	void SetUp() override
	{
		card_test::SetUp();
		if (HasFatalFailure())
			return;
		control_.emplace(string(ACCEL_STRING_NAME));
		if (!control_->is_there())
			GTEST_SKIP()
				<< "faults can be put into emulated cards in this process only";
		guilty_.emplace(device());
		innocent_.emplace(device());
		stream_.emplace(device().watch_events());
	}
	void TearDown() override
	{
		guilty_.reset();
		innocent_.reset();
		stream_.reset();
		control_.reset();
	}

	/// A command of the guilty one that an engine does not end, until what heals it.
	void hang(const std::string &until)
	{
		const unsigned id =
			control_->inject(R"("fault":"hang_command","until":")" + until + "\"");
		ASSERT_EQ(guilty_->queue.try_fill(guilty_->memory.address(), 64, 7u, 1), 0);
		ASSERT_EQ(guilty_->queue.try_nop(2), 0);
		ASSERT_EQ(guilty_->queue.submit(), 0);
		control_->wait_until_fired(id);
	}
	accel::event await(std::string_view name)
	{
		accel::event one{};
		int got;
		while ((got = stream_->read({ &one, 1 }, 20s)) == 1) {
			const char *text = accel_event_name(one.code);
			if (text && name == text)
				return one;
		}
		ADD_FAILURE() << "no event " << name << ": " << got << ", " << accel_error_text();
		return {};
	}
	/// Waits for the recovery from cause, by that rung; counts the time to the next good answer.
	void expect_recovery(const char *cause, accel::rung by, double limit_ms = 200)
	{
		const accel::event begun = await("RECOVERY");
		const auto start = clock::now();
		EXPECT_STREQ(accel_cause_name(static_cast<std::uint32_t>(begun.argument)), cause);
		next_good_answer();
		const double ms = ms_since(start);
		const accel::event ended = await("RECOVERED");
		EXPECT_STREQ(accel_rung_name(static_cast<std::uint32_t>(ended.argument)),
			     accel_rung_name(by));
		EXPECT_GT(device().history(by).helped, 0u);
		const double took = static_cast<double>(ended.boot_ns - begun.boot_ns) / 1e6;
		std::printf("%s by %s: recovered %.2f ms after it was noticed, next good answer "
			    "after %.2f ms\n",
			    cause, accel_rung_name(by), took, ms);
		RecordProperty("recovery_us", static_cast<int>(took * 1e3));
		RecordProperty("next_answer_us", static_cast<int>(ms * 1e3));
		EXPECT_LT(ms, limit_ms) << "the goal is 2 ms on a machine with nothing else to do";
		EXPECT_TRUE(device().health().is_working()) << device().health().reason_name();
	}
	/// As a program would: again and again until the card answers well.
	void next_good_answer()
	{
		for (const auto end = clock::now() + 20s; clock::now() < end;) {
			try {
				program fresh(device());
				auto word = fresh.memory.take<std::uint64_t>(1);
				accel::completion done{};
				if (fresh.queue.try_fill(word.address, 8, std::uint64_t{ 3 }, 5) ||
				    fresh.queue.submit() ||
				    fresh.queue.wait({ &done, 1 }, 10s) != 1)
					continue;
				if (done.result == 0 && word.host[0] == 3)
					return;
			} catch (const std::system_error &error) {
				const int code = error.code().value();
				ASSERT_TRUE(code == ESTALE || code == EHOSTDOWN) << error.what();
				accel_device_recover(device().get(), 10'000'000'000);
			}
		}
		FAIL() << "no good answer";
	}
	/// All of its completions; what comes after them.
	int drain(program &of, std::vector<accel::completion> *all)
	{
		accel::completion one;
		int got;
		while ((got = of.queue.wait({ &one, 1 }, 20s)) == 1)
			all->push_back(one);
		return got;
	}
	void expect_lost(program &one, accel::lost how)
	{
		EXPECT_EQ(one.context.lost(), how);
		EXPECT_EQ(one.queue.submit(), -ESTALE);
	}
	void expect_unharmed(program &one)
	{
		EXPECT_EQ(one.context.lost(), ACCEL_LOST_NO);
		EXPECT_DONE(api::run(one.queue, [&](auto tag) { return one.queue.try_nop(tag); }));
	}

	std::optional<api::card_control> control_;
	std::optional<program> guilty_, innocent_;
	std::optional<accel::event_stream> stream_;
};

TEST_F(fault_test, a_hanging_command_is_aborted)
{
	const auto generation = device().health().generation;
	hang("abort");
	std::vector<accel::completion> done;
	EXPECT_EQ(drain(*guilty_, &done), -EIO) << "the queue is in error";
	ASSERT_EQ(done.size(), 2u);
	EXPECT_EQ(done[0].result, -ECANCELED);
	EXPECT_EQ(done[1].result, -ECANCELED);
	expect_recovery("hang", ACCEL_RUNG_ABORT);
	EXPECT_EQ(guilty_->context.lost(), ACCEL_LOST_NO);
	expect_unharmed(*innocent_);
	EXPECT_EQ(device().health().generation, generation) << "nobody else noticed";
}

TEST_F(fault_test, a_queue_is_taken)
{
	hang("queue");
	std::vector<accel::completion> done;
	EXPECT_EQ(drain(*guilty_, &done), -ESTALE);
	ASSERT_EQ(done.size(), 2u);
	EXPECT_EQ(done[0].result, -EIO) << "unknown";
	EXPECT_EQ(done[1].result, -ECANCELED) << "not run";
	expect_recovery("hang", ACCEL_RUNG_QUEUE);
	EXPECT_EQ(guilty_->context.lost(), ACCEL_LOST_NO);
	accel::queue another(guilty_->context, 4u);
	EXPECT_DONE(api::run(another, [&](auto tag) { return another.try_nop(tag); }));
	expect_unharmed(*innocent_);
}

TEST_F(fault_test, a_context_is_taken)
{
	hang("context");
	std::vector<accel::completion> done;
	EXPECT_EQ(drain(*guilty_, &done), -ESTALE);
	EXPECT_EQ(done.size(), 2u);
	expect_recovery("hang", ACCEL_RUNG_CONTEXT);
	expect_lost(*guilty_, ACCEL_LOST_GUILTY);
	expect_unharmed(*innocent_);
}

TEST_F(fault_test, the_card_is_reset_for_a_hanging_engine)
{
	hang("soft_reset");
	std::vector<accel::completion> done;
	EXPECT_EQ(drain(*guilty_, &done), -ESTALE);
	ASSERT_EQ(done.size(), 2u);
	EXPECT_EQ(done[0].result, -EIO);
	EXPECT_EQ(done[1].result, -ECANCELED);
	expect_recovery("hang", ACCEL_RUNG_SOFT_RESET);
	expect_lost(*guilty_, ACCEL_LOST_GUILTY);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
}

TEST_F(fault_test, a_reset_that_is_ignored_is_followed_by_flr)
{
	control_->inject(R"("fault":"reset_ignored","level":"soft_reset","times":1)");
	hang("soft_reset");
	expect_recovery("hang", ACCEL_RUNG_FLR);
	expect_lost(*guilty_, ACCEL_LOST_GUILTY);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
	EXPECT_GT(device().history(ACCEL_RUNG_SOFT_RESET).tried,
		  device().history(ACCEL_RUNG_SOFT_RESET).helped);
}

TEST_F(fault_test, silent_firmware_is_restarted)
{
	control_->inject(R"("fault":"hang_firmware")");
	expect_recovery("keep_alive", ACCEL_RUNG_SOFT_RESET);
	expect_lost(*guilty_, ACCEL_LOST_INNOCENT);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
}

/// Admin commands of others end with the session, not by their own, longer deadlines.
TEST_F(fault_test, calls_on_silent_firmware_end)
{
	control_->inject(R"("fault":"hang_firmware")");
	const auto start = clock::now();
	accel_context *context = nullptr;
	const int result = accel_context_create(device().get(), &context);
	EXPECT_EQ(result, -EHOSTDOWN) << accel_error_text();
	EXPECT_LT(ms_since(start), 5000.0);
	const auto cause = await("RECOVERY").argument;
	const std::string name = accel_cause_name(static_cast<std::uint32_t>(cause));
	EXPECT_TRUE(name == "keep_alive" || name == "admin") << name;
	next_good_answer();
}

TEST_F(fault_test, crashed_firmware_is_restarted)
{
	control_->inject(R"("fault":"crash","code":77)");
	expect_recovery("crashed", ACCEL_RUNG_SOFT_RESET);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
}

TEST_F(fault_test, a_silent_reset_is_noticed)
{
	control_->inject(R"("fault":"self_reset")");
	expect_recovery("self_reset", ACCEL_RUNG_SOFT_RESET);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
}

TEST_F(fault_test, a_dead_card_is_lost_and_told)
{
	control_->inject(R"("fault":"dead")");
	std::vector<accel::completion> done;
	ASSERT_EQ(guilty_->queue.try_nop(1), 0);
	guilty_->queue.submit();
	EXPECT_EQ(drain(*guilty_, &done), -ENODEV);
	await("GONE");
	EXPECT_EQ(device().health().state_name(), "failed");
	EXPECT_EQ(device().health().reason_name(), "gone");
	EXPECT_EQ(string(ACCEL_STRING_STATE), "lost");
	EXPECT_EQ(accel_device_recover(device().get(), 1'000'000'000), -ENODEV);
	accel::event one{};
	int got;
	while ((got = stream_->read({ &one, 1 }, 1s)) == 1) {}
	EXPECT_EQ(got, -ENODEV) << "the stream ends";
	// Another one in its place.
	accel::device again(string(ACCEL_STRING_NAME));
	api::expect_works(again);
}

TEST_F(fault_test, a_lost_doorbell_is_rung_again)
{
	control_->inject(R"("fault":"lost_doorbell")");
	EXPECT_DONE(
		api::run(guilty_->queue, [&](auto tag) { return guilty_->queue.try_nop(tag); }));
	EXPECT_EQ(guilty_->context.lost(), ACCEL_LOST_NO);
}

TEST_F(fault_test, a_lost_interrupt_is_made_up_for)
{
	accel::timeline gate(guilty_->context);
	ASSERT_EQ(guilty_->queue.try_wait(gate, 1, 1), 0);
	ASSERT_EQ(guilty_->queue.submit(), 0);
	std::promise<pid_t> thread;
	auto waits = std::async(std::launch::async, [&] {
		accel::completion one;
		thread.set_value(gettid());
		return guilty_->queue.wait({ &one, 1 }, 20s);
	});
	/* Until it sleeps for the interrupt that is to get lost. */
	ASSERT_TRUE(support::wait_until_asleep(thread.get_future().get()));
	control_->inject(R"("fault":"lost_interrupt")");
	const auto start = clock::now();
	ASSERT_EQ(gate.signal(1), 0);
	EXPECT_EQ(waits.get(), 1);
	EXPECT_LT(ms_since(start), 10000.0);
	EXPECT_EQ(guilty_->context.lost(), ACCEL_LOST_NO);
}

/// The owner of a hanging queue destroys it, and goes: the card is freed of it all the same.
TEST_F(fault_test, a_hanging_queue_that_is_destroyed_is_ended)
{
	hang("soft_reset");
	guilty_.reset();
	expect_recovery("hang", ACCEL_RUNG_SOFT_RESET);
	expect_lost(*innocent_, ACCEL_LOST_INNOCENT);
}

/// Where destroying the context is enough, its owner or the watch does it, whoever is first.
TEST_F(fault_test, the_same_where_its_context_is_enough)
{
	hang("context");
	guilty_.reset();
	/* The watch tells of it; its owner does not. So a look after each event, and now and then. */
	accel::event one{};
	for (const auto end = clock::now() + 20s;
	     number(ACCEL_NUMBER_QUEUES) > 1 && clock::now() < end;)
		stream_->read({ &one, 1 }, 10ms);
	EXPECT_EQ(number(ACCEL_NUMBER_QUEUES), 1u);
	EXPECT_EQ(number(ACCEL_NUMBER_CONTEXTS), 1u) << "nothing is left of it";
	expect_unharmed(*innocent_);
	next_good_answer();
}

/// With one card hung, all others work, and every card answers who only looks.
TEST_F(fault_test, one_hung_card_disturbs_nobody)
{
	const auto names = api::card_names();
	if (names.size() < 2)
		GTEST_SKIP() << "there is one card only";
	accel::device other(names[1]);
	program there(other);
	api::expect_works(other);
	hang("never");
	double longest = 0;
	bool is_in_recovery = false;
	for (int i = 0; i < 50 || !is_in_recovery; i++) {
		ASSERT_LT(i, 100'000) << "nobody sees that the card hangs";
		for (const accel::device *one : { &device(), &other }) {
			const auto start = clock::now();
			static_cast<void>(one->health());
			static_cast<void>(one->events(1, 16));
			if (one == &other || device().health().is_working())
				static_cast<void>(one->read_telemetry());
			longest = std::max(longest, ms_since(start));
		}
		EXPECT_DONE(
			api::run(there.queue, [&](auto tag) { return there.queue.try_nop(tag); }));
		accel::event one{};
		if (stream_->read({ &one, 1 }, 1ms) == 1)
			is_in_recovery |= std::string(accel_event_name(one.code)) == "RECOVERY";
	}
	std::printf("health, events and telemetry took at most %.2f ms\n", longest);
	EXPECT_LT(longest, 50.0) << "the goal is 10 ms on a machine with nothing else to do";
	EXPECT_EQ(there.context.lost(), ACCEL_LOST_NO);
	control_->clear();
	next_good_answer();
}

/// A queue's line in a state that there is not neither ends a wait at once nor keeps it beyond its deadline.
TEST_F(fault_test, a_state_that_there_is_not_is_no_news)
{
	control_->inject(R"("fault":"corrupt_progress","field":"state","value":74,"times":0)");
	accel::completion one;
	ASSERT_EQ(guilty_->queue.try_nop(1), 0);
	ASSERT_EQ(guilty_->queue.submit(), 0);
	ASSERT_EQ(guilty_->queue.wait({ &one, 1 }, 20s), 1);
	const auto start = clock::now();
	const int result = accel_queue_wait(guilty_->queue.get(), &one, 1, 50'000'000);
	EXPECT_TRUE(result == -ETIMEDOUT || result == -EPROTO) << result;
	EXPECT_GE(ms_since(start), 49);
	EXPECT_LT(ms_since(start), 5000);
}

} // namespace
