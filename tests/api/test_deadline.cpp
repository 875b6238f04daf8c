// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// No call outlasts its deadline, whatever the card does; and those without one end within what accel.h
// says. Every function of the API that could wait for a card, against every way in which an emulated
// card can keep it waiting: the time that it takes, and the error that it gives.
#include "fixture.hpp"

#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>

#include "card_control.hpp"

using namespace std::chrono_literals;

namespace
{

using clock = std::chrono::steady_clock;

constexpr auto timeout = 100ms;
constexpr std::int64_t timeout_ns = 100'000'000;
/// For threads that get their turn late. What is lost without deadlines is lost for much longer.
constexpr auto slack = 1500ms;
/// Of one answer of a card; then it is lost, and being reset.
constexpr auto answer = 2s;
/// What a call without a deadline may take: a few answers.
constexpr auto without_deadline = 10s;

/// What a program has on a card, made while that is well.
struct world {
	explicit world(accel::device &on)
		: device(on), context(on), other(on), memory(on, context, 4 * api::page),
		  there(on, other, api::page), spare(on, api::page), queue(context, 8u),
		  busy(context, 8u), gate(context), stage(context, other), events(on.watch_events())
	{
		static_cast<void>(queue.try_wait(gate, 1, 1));
		static_cast<void>(queue.submit());
	}
	/// Returns once the driver is at it.
	void await_recovery()
	{
		accel::event one{};
		while (events.read({ &one, 1 }, 20s) == 1) {
			if (accel_event_name(one.code) == std::string_view("RECOVERY"))
				return;
		}
		ADD_FAILURE() << "nobody saw that anything is wrong";
	}

	accel::device &device;
	accel::context context, other;
	api::arena memory, there;
	accel::buffer spare;
	accel::queue queue, busy;
	accel::timeline gate;
	accel::stage stage;
	accel::event_stream events;
};

struct call {
	std::string name;
	std::function<int(world &)> run;
	std::set<int> gives;	///< besides success and what any call may give
	bool has_deadline = true;
	std::chrono::milliseconds more{ 0 };
};

/// Errors that any call may give, by the head of accel.h.
const std::set<int> any{ -ENODEV, -EHOSTDOWN, -ESTALE, -ETIMEDOUT };

/// What is asked for must not outlive the call: it is taken back.
template <class Handle, class Make, class Unmake>
int made(const Make &make, const Unmake &unmake)
{
	Handle *handle = nullptr;
	const int result = make(&handle);
	if (result == 0)
		unmake(handle);
	return result;
}

std::vector<call> calls_with_deadline()
{
	return {
		{ "accel_queue_wait",
		  [](world &w) {
			  accel_completion one;
			  return accel_queue_wait(w.queue.get(), &one, 1, timeout_ns);
		  },
		  { 1, -EIO } },
		{ "accel_timeline_wait",
		  [](world &w) { return accel_timeline_wait(w.gate.get(), 1, timeout_ns); },
		  {} },
		/* What it began is taken from the cards first, by a reset if they do not answer. */
		{ "accel_stage_copy",
		  [](world &w) {
			  return accel_stage_copy(w.stage.get(), w.there.address(),
						  w.memory.address(), api::page, timeout_ns);
		  },
		  { -EIO },
		  true,
		  answer + 2s },
		{ "accel_telemetry_read_within",
		  [](world &w) {
			  return made<accel_telemetry>(
				  [&](auto **to) {
					  return accel_telemetry_read_within(w.device.get(),
									     timeout_ns, to);
				  },
				  accel_telemetry_free);
		  },
		  {} },
		{ "accel_device_self_test",
		  [](world &w) {
			  std::uint64_t failed;
			  return accel_device_self_test(w.device.get(), &failed, timeout_ns);
		  },
		  {} },
		{ "accel_event_stream_read",
		  [](world &w) {
			  accel_event one;
			  return accel_event_stream_read(w.events.get(), &one, 1, timeout_ns);
		  },
		  { 1 } },
	};
}

/// Each changes what the others find, so one card in trouble for each.
std::vector<call> calls_that_reset()
{
	return {
		{ "accel_device_recover",
		  [](world &w) { return accel_device_recover(w.device.get(), timeout_ns); },
		  { -EIO } },
		{ "accel_device_reset",
		  [](world &w) {
			  return accel_device_reset(w.device.get(), ACCEL_RUNG_SOFT_RESET,
						    timeout_ns);
		  },
		  { -EIO } },
		{ "accel_firmware_load",
		  [](world &w) {
			  const auto &image = api::good_firmware();
			  return accel_firmware_load(w.device.get(), image.data(), image.size(),
						     timeout_ns);
		  },
		  { -EBUSY, -EBADMSG, -EIO } },
	};
}

std::vector<call> calls_on_a_device()
{
	return {
		{ "accel_device_open",
		  [](world &w) {
			  const std::string name = *w.device.string(ACCEL_STRING_NAME);
			  return made<accel_device>(
				  [&](auto **to) { return accel_device_open(name.c_str(), to); },
				  accel_device_close);
		  },
		  {} },
		{ "accel_device_string",
		  [](world &w) {
			  return accel_device_string(w.device.get(), ACCEL_STRING_STATE) ? 0 :
											   -ENODEV;
		  },
		  {} },
		{ "accel_device_number",
		  [](world &w) {
			  std::uint64_t value;
			  return accel_device_number(w.device.get(), ACCEL_NUMBER_RESET_COUNT,
						     &value);
		  },
		  { -ENODATA } },
		{ "accel_device_clients",
		  [](world &w) { return accel_device_clients(w.device.get(), nullptr, 0); },
		  { 1 } },
		{ "accel_telemetry_read",
		  [](world &w) {
			  return made<accel_telemetry>(
				  [&](auto **to) {
					  return accel_telemetry_read(w.device.get(), to);
				  },
				  accel_telemetry_free);
		  },
		  {} },
		{ "accel_events_read",
		  [](world &w) {
			  accel_event one;
			  return accel_events_read(w.device.get(), 1, &one, 1);
		  },
		  { 1 } },
		{ "accel_device_health",
		  [](world &w) {
			  accel_health health;
			  return accel_device_health(w.device.get(), &health);
		  },
		  {} },
		{ "accel_device_rung",
		  [](world &w) {
			  accel_rung_history history;
			  return accel_device_rung(w.device.get(), ACCEL_RUNG_FLR, &history);
		  },
		  {} },
		{ "accel_event_stream_open",
		  [](world &w) {
			  return made<accel_event_stream>(
				  [&](auto **to) {
					  return accel_event_stream_open(w.device.get(), 1, to);
				  },
				  accel_event_stream_close);
		  },
		  {} },
		{ "accel_buffer_alloc",
		  [](world &w) {
			  return made<accel_buffer>(
				  [&](auto **to) {
					  return accel_buffer_alloc(w.device.get(), api::page, to);
				  },
				  accel_buffer_free);
		  },
		  {} },
		{ "accel_buffer_alloc_local",
		  [](world &w) {
			  return made<accel_buffer>(
				  [&](auto **to) {
					  return accel_buffer_alloc_local(w.device.get(), api::page,
									  to);
				  },
				  accel_buffer_free);
		  },
		  {} },
	};
}

std::vector<call> calls_in_a_context()
{
	return {
		{ "accel_context_create",
		  [](world &w) {
			  return made<accel_context>(
				  [&](auto **to) {
					  return accel_context_create(w.device.get(), to);
				  },
				  accel_context_destroy);
		  },
		  {} },
		{ "accel_context_usage",
		  [](world &w) {
			  accel_usage usage;
			  return accel_context_usage(w.context.get(), &usage);
		  },
		  {} },
		{ "accel_context_lost",
		  [](world &w) { return accel_context_lost(w.context.get()); },
		  { ACCEL_LOST_INNOCENT, ACCEL_LOST_GUILTY } },
		{ "accel_buffer_map",
		  [](world &w) {
			  std::uint64_t address = 0;
			  const int result = accel_buffer_map(w.context.get(), w.spare.get(), 0, 0,
							      ACCEL_MAP_READ, &address);
			  return result == 0 ? accel_buffer_unmap(w.context.get(), address) :
					       result;
		  },
		  {} },
		{ "accel_queue_create",
		  [](world &w) {
			  return made<accel_queue>(
				  [&](auto **to) {
					  return accel_queue_create(w.context.get(), 4, 1, to);
				  },
				  accel_queue_destroy);
		  },
		  {} },
		{ "accel_queue_submit",
		  [](world &w) { return accel_queue_submit(w.queue.get()); },
		  {} },
		{ "accel_queue_arm",
		  [](world &w) { return accel_queue_arm(w.queue.get()); },
		  { 1 } },
		{ "accel_timeline_create",
		  [](world &w) {
			  return made<accel_timeline>(
				  [&](auto **to) {
					  return accel_timeline_create(w.context.get(), to);
				  },
				  accel_timeline_destroy);
		  },
		  {} },
		{ "accel_timeline_share",
		  [](world &w) { return accel_timeline_share(w.gate.get(), w.other.get()); },
		  {} },
		{ "accel_stage_create",
		  [](world &w) {
			  return made<accel_stage>(
				  [&](auto **to) {
					  return accel_stage_create(w.context.get(), w.other.get(),
								    to);
				  },
				  accel_stage_destroy);
		  },
		  {} },
	};
}

/// A name, what is injected for it, and whether calls begin when the driver has seen it.
struct trouble {
	const char *name;
	std::vector<std::string> faults;
	bool is_seen = false;
};

const trouble troubles[] = {
	{ "hang_firmware", { R"("fault":"hang_firmware")" } },
	{ "hang_admin", { R"("fault":"hang_admin")" } },
	{ "hang_command", { R"("fault":"hang_command","until":"never")" } },
	{ "dead", { R"("fault":"dead")" } },
	{ "slow_mmio", { R"("fault":"slow_mmio","us":10000)" } },
	{ "boot_hang", { R"("fault":"boot_hang","for_ms":1500)", R"("fault":"crash")" }, true },
	{ "reset_ignored",
	  { R"("fault":"reset_ignored","level":"bus_reset","times":1000)",
	    R"("fault":"hang_firmware")" } },
};

class deadline_test : public testing::TestWithParam<trouble>
{
protected:
	void SetUp() override
	{
		device_.emplace(api::card_names().at(0));
		control_.emplace(*device_->string(ACCEL_STRING_NAME));
		if (!control_->is_there())
			GTEST_SKIP()
				<< "faults can be put into emulated cards in this process only";
	}
	void TearDown() override
	{
		heal();
		control_.reset();
	}

	/// in: the one program on the card, if there is one; it gives the card something to do.
	void make_trouble(world *in)
	{
		for (const std::string &fault : GetParam().faults)
			control_->inject(fault);
		if (!in)
			return;
		static_cast<void>(in->busy.try_nop(1));
		static_cast<void>(in->busy.submit());
		if (GetParam().is_seen)
			in->await_recovery();
	}
	/// The card is as new; a dead one is replaced.
	void heal()
	{
		if (!device_ || !control_->is_there())
			return;
		control_->clear();
		const std::string name = *device_->string(ACCEL_STRING_NAME);
		if (accel_device_recover(device_->get(), 20'000'000'000) != 0 &&
		    accel_device_reset(device_->get(), ACCEL_RUNG_FLR, 20'000'000'000) != 0)
			device_.emplace(name);
		api::expect_works(*device_);
	}
	static void expect_in_time(const call &one, world &in)
	{
		const auto start = clock::now();
		const int result = one.run(in);
		const auto took = clock::now() - start;
		const std::string text = result < 0 ? accel_error_text() : "";
		const auto limit = one.has_deadline ? timeout + slack + one.more :
						      without_deadline + slack;
		EXPECT_LT(took, limit) << one.name << " gives " << result << ": " << text;
		EXPECT_TRUE(result == 0 || any.count(result) || one.gives.count(result))
			<< one.name << " gives " << result << ": " << text;
	}
	/// All at once: they also wait for each other.
	static void expect_all_in_time(const std::vector<call> &calls, world &in)
	{
		std::vector<std::jthread> threads;
		for (const call &one : calls)
			threads.emplace_back([&] { expect_in_time(one, in); });
	}

	std::optional<accel::device> device_;
	std::optional<api::card_control> control_;
};

TEST_P(deadline_test, calls_with_one_keep_it)
{
	world in(*device_);
	make_trouble(&in);
	expect_all_in_time(calls_with_deadline(), in);
}

TEST_P(deadline_test, calls_that_reset_keep_theirs)
{
	for (const call &one : calls_that_reset()) {
		{
			world in(*device_);
			make_trouble(&in);
			expect_in_time(one, in);
		}
		heal();
	}
	/* Without contexts, which a firmware load refuses to begin with. */
	auto in = std::make_unique<world>(*device_);
	const call load = calls_that_reset().back();
	accel::device &device = in->device;
	const auto &image = api::good_firmware();
	in.reset();
	make_trouble(nullptr);
	const auto start = clock::now();
	const int result =
		accel_firmware_load(device.get(), image.data(), image.size(), timeout_ns);
	EXPECT_LT(clock::now() - start, timeout + slack) << result << ": " << accel_error_text();
	EXPECT_TRUE(result == 0 || any.count(result) || load.gives.count(result))
		<< result << ": " << accel_error_text();
}

TEST_P(deadline_test, calls_without_one_end)
{
	std::vector<call> all = calls_on_a_device();
	const std::vector<call> more = calls_in_a_context();
	all.insert(all.end(), more.begin(), more.end());
	for (call &one : all)
		one.has_deadline = false;
	auto in = std::make_unique<world>(*device_);
	make_trouble(in.get());
	expect_all_in_time(all, *in);
	/* And those that take things back. */
	const auto start = clock::now();
	in.reset();
	EXPECT_LT(clock::now() - start, without_deadline + slack) << "destroying";
}

INSTANTIATE_TEST_SUITE_P(of, deadline_test, testing::ValuesIn(troubles),
			 [](const auto &param) { return std::string(param.param.name); });

/// Whoever adds a function with a timeout adds it here.
TEST(deadline_table, has_every_function_with_a_timeout)
{
	std::set<std::string> known, found;
	for (const auto &list : { calls_with_deadline(), calls_that_reset() })
		for (const call &one : list)
			known.insert(one.name);
	for (const char *header : { "accel.h", "accel_health.h" }) {
		std::ifstream file(std::string(ACCEL_HEADERS "/") + header);
		if (!file)
			GTEST_SKIP() << ACCEL_HEADERS " is not on this machine";
		const std::string text((std::istreambuf_iterator<char>(file)), {});
		constexpr std::string_view start = "ACCEL_API int ";
		for (auto at = text.find(start); at != text.npos; at = text.find(start, at)) {
			at += start.size();
			const std::string one = text.substr(at, text.find(';', at) - at);
			if (one.find("int64_t timeout") != one.npos)
				found.insert(one.substr(0, one.find('(')));
		}
	}
	EXPECT_EQ(found, known);
}

} // namespace
