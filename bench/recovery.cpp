// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See recovery.hpp.
#include "recovery.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "cards.hpp"
#include "harness.hpp"
#include "machine.hpp"

namespace bench
{

namespace
{

constexpr std::int64_t PATIENCE_NS = 20'000'000'000;
/* Quickly found, since only what comes after counts. */
constexpr const char *HANG_MS = "100";

struct rung_case {
	accel_rung rung;
	const char *until;	/* what frees the engine */
	bool is_soft_reset_ignored;
};

constexpr rung_case CASES[] = {
	{ ACCEL_RUNG_ABORT, "abort", false },	  { ACCEL_RUNG_QUEUE, "queue", false },
	{ ACCEL_RUNG_CONTEXT, "context", false }, { ACCEL_RUNG_SOFT_RESET, "soft_reset", false },
	{ ACCEL_RUNG_FLR, "flr", true },
};

double boot_ms()
{
	timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

using stream_ptr = std::unique_ptr<accel_event_stream, destroyer<accel_event_stream_close>>;

stream_ptr watch(accel_device *device)
{
	accel_event_stream *stream;
	check(accel_event_stream_open(device, 0, &stream));
	return stream_ptr(stream);
}

/* The next event of this name. */
accel_event await(accel_event_stream *stream, const std::string &name)
{
	for (;;) {
		accel_event one;
		check(accel_event_stream_read(stream, &one, 1, PATIENCE_NS));
		const char *said = accel_event_name(one.code);
		if (said && name == said)
			return one;
	}
}

/* A context with a queue, as a program has them; made anew as far as the library asks for it. */
class program
{
public:
	explicit program(accel_device *on) : device_(on) { renew_context(); }

	void submit_one() const
	{
		check(accel_queue_nop(queue_.get(), 1));
		check(accel_queue_submit(queue_.get()));
	}
	/* Sleeps until the queue has nothing more to give: what is to be done about that. */
	int wait_for_the_end() const
	{
		accel_completion done;
		int got;
		while ((got = accel_queue_wait(queue_.get(), &done, 1, PATIENCE_NS)) == 1) {}
		return got;
	}
	void next_completion(int ended)
	{
		for (;;) {
			if (ended == 0)
				return;
			if (ended == -EHOSTDOWN)
				check(accel_device_recover(device_, PATIENCE_NS));
			else if (ended != -ESTALE && ended != -EIO)
				check(ended);
			ended = try_one();
		}
	}

private:
	void renew_context()
	{
		queue_.reset();
		context_.reset();
		accel_context *context;
		check(accel_context_create(device_, &context));
		context_.reset(context);
		renew_queue();
	}
	int renew_queue()
	{
		queue_.reset();
		accel_queue *queue;
		const int result = accel_queue_create(context_.get(), 4, 1, &queue);
		if (result == 0)
			queue_.reset(queue);
		return result;
	}
	/* 0: it completed. */
	int try_one()
	{
		int result = renew_queue();
		if (result == -ESTALE) {
			accel_context *context;
			result = accel_context_create(device_, &context);
			if (result != 0)
				return result;
			context_.reset(context);
			result = renew_queue();
		}
		if (result != 0)
			return result;
		submit_one();
		accel_completion done;
		result = accel_queue_wait(queue_.get(), &done, 1, PATIENCE_NS);
		return result == 1 ? done.result : result;
	}

	accel_device *device_;
	context_ptr context_;
	queue_ptr queue_;
};

double hang_once(const card &on, const rung_case &how)
{
	program guilty(on.device());
	const stream_ptr stream = watch(on.device());
	if (how.is_soft_reset_ignored)
		control_card(0, R"({"request":"inject","fault":"reset_ignored",)"
				R"("level":"soft_reset","times":1})");
	control_card(0, std::string(R"({"request":"inject","fault":"hang_command","until":")") +
				how.until + "\"}");
	guilty.submit_one();
	guilty.next_completion(guilty.wait_for_the_end());
	const double end = boot_ms();
	const accel_event begun = await(stream.get(), "RECOVERY");
	const accel_event ended = await(stream.get(), "RECOVERED");
	if (ended.argument != how.rung)
		throw std::runtime_error(
			std::string("it recovered by ") +
			accel_rung_name(static_cast<std::uint32_t>(ended.argument)) + ", not by " +
			accel_rung_name(how.rung));
	return end - static_cast<double>(begun.boot_ns) / 1e6;
}

} // namespace

std::vector<recovery_result> measure_recovery(int rounds)
{
	setenv("ACCEL_HANG_MS", HANG_MS, 1);
	const card on(card_in_process());
	std::vector<recovery_result> all;
	for (const rung_case &how : CASES) {
		recovery_result result;
		result.rung = accel_rung_name(how.rung);
		for (int i = 0; i < rounds; i++) {
			const watch_others others;
			const double ms = hang_once(on, how);
			result.rounds.push_back({ ms, others.load() < OTHERS_AT_MOST });
		}
		all.push_back(std::move(result));
	}
	return all;
}

void print_recovery(const std::vector<recovery_result> &results)
{
	nlohmann::ordered_json all;
	all["recoveries"] = nlohmann::ordered_json::array();
	for (const recovery_result &one : results) {
		nlohmann::ordered_json made;
		made["rung"] = one.rung;
		for (const recovery_round &round : one.rounds)
			made["rounds"].push_back(
				{ { "ms", round.ms }, { "is_clean", round.is_clean } });
		all["recoveries"].push_back(std::move(made));
	}
	std::printf("%s\n", all.dump(1, '\t').c_str());
}

} // namespace bench
