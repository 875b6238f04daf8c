// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See trial.hpp.
#include "trial.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

using namespace std::chrono_literals;
using nlohmann::json;

namespace faults
{

namespace
{

constexpr std::uint64_t NS_PER_S = 1000000000;
constexpr std::uint64_t WATCH_S = 60; /* longer than any ladder */
constexpr unsigned IN_VAIN = 6; /* recoveries that seem to help: the card hangs again at once */
constexpr std::uint64_t QUIET_NS = 300000000; /* in which who notices has noticed */
constexpr std::size_t SETTLED_ROUNDS = 3;
constexpr std::uint64_t ENOUGH = 1000; /* rounds, for every engine to have had one */
constexpr std::uint64_t PATTERN = 0x1122334455667788;

double ms(std::uint64_t from, std::uint64_t to)
{
	return to > from ? static_cast<double>(to - from) / 1e6 : 0;
}

std::string lower(std::string text)
{
	for (char &c : text)
		c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
	return text;
}

/* Tells of something that is wrong, and is no echo of what was done about it. */
bool is_sign(const std::string &name, const accel::event &one)
{
	constexpr std::string_view told[] = { "ECC_CORRECTED" };
	constexpr std::string_view echoes[] = { "CONTEXT_LOST", "MISSED", "WEDGED", "HELD" };

	if (std::find(std::begin(echoes), std::end(echoes), name) != std::end(echoes))
		return false;
	return one.severity > 0 ||
	       std::find(std::begin(told), std::end(told), name) != std::end(told);
}

} // namespace

/* ---- The card --------------------------------------------------------------------------------- */

patient::patient(const std::string &name)
	: name_(name), device_(name), port_([this] {
		  is_kernel_ = device_->string(ACCEL_STRING_BACKEND) == "kernel";
		  address_ = device_->string(ACCEL_STRING_PCI_ADDRESS).value_or("");
		  return is_kernel_ ? address_ : name_;
	  }())
{
}

json patient::new_log()
{
	const json reply = json::parse(
		port_.ask(R"({"request":"log","from":)" + std::to_string(next_line_) + "}"),
		nullptr, false);

	if (!reply.is_object() || !reply.contains("log") || reply["log"].empty())
		return json::array();
	next_line_ = reply["log"].back()["seq"].get<std::uint64_t>() + 1;
	return reply["log"];
}

void patient::open_anew()
{
	if (is_kernel_) {
		std::ofstream file("/sys/bus/pci/devices/" + address_ + "/reset");
		file << "1" << std::flush;
		EXPECT_TRUE(file.good()) << "the PCI core's reset of " << address_;
		return;
	}
	device_.reset();
	device_.emplace(name_);
}

std::string finding::json(const std::string &fault) const
{
	const auto rounded = [](double value) { return std::round(value * 10) / 10; };
	nlohmann::json row = { { "fault", fault }, { "noticed_by", noticed_by },
			       { "rung", rung },   { "good_ms", rounded(good_ms) },
			       { "lost", lost },   { "by_hand", by_hand } };

	if (!noticed_by.empty())
		row["noticed_ms"] = rounded(noticed_ms);
	return row.dump();
}

/* ---- Before ----------------------------------------------------------------------------------- */

trial::trial(patient &on, const fault_case &what) : on_(on), what_(what)
{
}

bool trial::must_be_told() const
{
	return what_.must_be == told::always || (what_.must_be == told::kernel && on_.is_kernel());
}

void trial::prepare()
{
	accel::device &card = on_.device();

	for (unsigned i = 0; i < ACCEL_RUNG_COUNT; i++)
		before_[i] = card.history(static_cast<accel::rung>(i));
	load_.emplace(card, what_.by == meet::sleep);
	bystander_.emplace(card);
	local_.emplace(accel::buffer::local(card, api::page));
	for (std::uint64_t &word : local_->as<std::uint64_t>())
		word = PATTERN;
	for (std::size_t i = 0; i < SETTLED_ROUNDS; i++)
		ASSERT_EQ(load_->round(), load::outcome::good) << load_->first_failure();
	stream_.emplace(card.watch_events());
	load_->start_over();
}

void trial::start()
{
	std::string reply;

	on_.new_log();
	injected_ns_ = boot_ns();
	id_ = on_.port().inject(what_.fault, &reply);
	ASSERT_NE(id_, 0u) << what_.fault << " gives " << reply;
	if (what_.by == meet::boot) {
		ASSERT_NE(on_.port().inject(R"("fault":"crash")", &reply), 0u) << reply;
	}
}

/* ---- While it is there ------------------------------------------------------------------------ */

void trial::meet_it()
{
	accel_telemetry *sensors = nullptr;

	switch (what_.by) {
	case meet::admin:
		/* Its errors are no loss: the next look at the sensors is as good. */
		accel_telemetry_read(on_.device().get(), &sensors);
		accel_telemetry_free(sensors);
		break;
	case meet::map:
		try {
			const accel::context context(on_.device());
			const api::arena memory(on_.device(), context, api::page);
		} catch (const std::system_error &) {
			/* The load will tell. */
		}
		break;
	case meet::self_test:
		/* Which engine a command gets is not ours to say. */
		if (fired_ns_ == 0 || (load_->wrong() == 0 && load_->good() < ENOUGH))
			break;
		if (failed_engines_ == 0 &&
		    accel_device_self_test(on_.device().get(), &failed_engines_,
					   ACCEL_TIMEOUT_DEFAULT) == 0 &&
		    failed_engines_ != 0)
			note(boot_ns(), "self_test");
		break;
	default:
		break;
	}
}

void trial::note(std::uint64_t ns, const std::string &by)
{
	if (noticed_ns_ == 0 || ns < noticed_ns_)
		noticed_ns_ = ns;
	if (found_.noticed_by.empty())
		found_.noticed_by = by;
}

void trial::take_events()
{
	accel::event one{};

	while (stream_->read({ &one, 1 }, 0s) == 1) {
		const char *text = accel_event_name(one.code);
		const std::string name = text ? text : "unknown";
		const std::uint64_t ns = one.boot_ns ? one.boot_ns : boot_ns();

		if (name == "RECOVERY") {
			is_recovering_ = true;
			recoveries_++;
			const char *cause =
				accel_cause_name(static_cast<std::uint32_t>(one.argument));
			/* What is done to make it boot is not the fault. */
			if (what_.by == meet::boot && std::string(cause) == "crashed" &&
			    !std::exchange(has_crashed_, true))
				continue;
			/* Who begins a recovery knows best. */
			if (!is_named_by_cause_)
				found_.noticed_by.clear();
			note(ns, cause);
			is_named_by_cause_ = true;
		} else if (name == "RECOVERED") {
			is_recovering_ = false;
		} else if (name == "WEDGED" || name == "HELD" || name == "GONE") {
			is_recovering_ = false;
			is_at_end_ = true;
			if (name == "GONE")
				note(ns, "gone");
		} else if (name == "RUNG") {
			note(ns, "rung");
		} else if (is_sign(name, one) && name != "CRASHED") {
			note(ns, lower(name));
		}
	}
}

/* By the card's own clock, as far as a look tells how that is set. */
void trial::look_whether_fired()
{
	if (fired_ns_ != 0)
		return;
	for (const json &line : on_.new_log()) {
		if (line["id"] != id_ || line["what"] != "fired")
			continue;
		const std::uint64_t began = boot_ns();
		const std::uint64_t card_ns = support::number_after(
			on_.port().ask(R"({"request":"state"})"), "\"card_ns\":");
		const std::uint64_t ended = boot_ns();
		const std::uint64_t ago = card_ns - line["card_ns"].get<std::uint64_t>();
		fired_before_ns_ = std::max(injected_ns_, began - std::min(began, ago));
		fired_ns_ = std::max(injected_ns_, began + (ended - began) / 2 - ago);
		return;
	}
}

bool trial::has_settled() const
{
	return !is_recovering_ && load_->in_a_row() >= SETTLED_ROUNDS &&
	       on_.device().health().is_working();
}

bool trial::is_over() const
{
	if (fired_ns_ == 0 || load_->good_since(fired_before_ns_) == 0)
		return false;
	if (must_be_told() && noticed_ns_ == 0)
		return false;
	if (noticed_ns_ == 0 && boot_ns() < fired_ns_ + QUIET_NS * slowness())
		return false;
	return has_settled();
}

/* Rounds of the load until the story has come to its end, whichever that is. */
void trial::watch()
{
	const std::uint64_t end = boot_ns() + WATCH_S * NS_PER_S * slowness();

	while (boot_ns() < end) {
		meet_it();
		const load::outcome how = load_->round();
		look_whether_fired();
		take_events();
		if (load_->first_failure_ns() != 0 && what_.by != meet::boot)
			note(load_->first_failure_ns(), load_->first_failure());
		if (how == load::outcome::good)
			recoveries_ = 0;
		if (how == load::outcome::given_up || is_at_end_ || is_over() ||
		    failed_engines_ != 0 || recoveries_ >= IN_VAIN)
			return;
	}
	ADD_FAILURE() << "no end: " << (fired_ns_ ? "" : "it has not fired, ") << "noticed by '"
		      << found_.noticed_by << "', health " << on_.device().health().reason_name()
		      << ", last failure " << load_->first_failure();
}

/* ---- After ------------------------------------------------------------------------------------ */

void trial::check_health_while_it_holds()
{
	const auto shows = [&] { return on_.device().health().reason_name() == what_.health; };

	/* A completion may be faster than the event. */
	for (const std::uint64_t end = boot_ns() + 5 * NS_PER_S * slowness();
	     *what_.health && !shows() && boot_ns() < end;)
		load_->round();
	take_events();
	const accel::health health = on_.device().health();
	if (*what_.health) {
		EXPECT_EQ(health.reason_name(), what_.health);
	} else if (is_at_end_) {
		EXPECT_FALSE(health.is_working()) << health.reason_name();
	}
}

/* What became of 4 KiB of the card's own memory. Throws where no context is to be had. */
std::string trial::look_at_local_memory()
{
	accel::device &card = on_.device();
	accel::context context(card);
	api::arena host(card, context, api::page);
	const auto copy = host.take<std::uint64_t>(api::page / 8);
	accel::queue queue(context, 4u);
	std::uint64_t address = 0;

	if (accel_buffer_map(context.get(), local_->get(), 0, 0, accel::map_read, &address))
		return "local memory";
	accel::completion done{};
	if (queue.try_copy(copy.address, address, api::page, 1) || queue.submit() ||
	    queue.wait({ &done, 1 }) != 1)
		return "local memory";
	if (done.result != 0)
		return "a page of local memory";
	EXPECT_EQ(std::count(copy.host.begin(), copy.host.end(), PATTERN),
		  static_cast<std::ptrdiff_t>(copy.host.size()))
		<< "local memory changed, and nobody says so";
	return "";
}

/* The card may be reset once more, or lie, while it is looked at. */
std::string trial::look_until_seen()
{
	const std::uint64_t end = boot_ns() + 20 * NS_PER_S * slowness();

	for (;;) {
		try {
			return look_at_local_memory();
		} catch (const std::system_error &error) {
			if (boot_ns() < end)
				continue;
			ADD_FAILURE() << "no look at local memory: " << error.what();
			return "";
		}
	}
}

std::string trial::what_was_lost()
{
	if (what_.may_be_wrong)
		return "answers until the self-test";
	if (load_->worst() == lost::card)
		return "the card";
	const bool has_lost_all = bystander_->lost() != ACCEL_LOST_NO;
	const std::string local = on_.device().health().is_working() ? look_until_seen() : "";
	if (has_lost_all)
		return local.empty() ? "all contexts" : "all contexts, " + local;
	constexpr std::string_view words[] = { "nothing", "the command", "the queue",
					       "the context" };
	const std::string own(words[static_cast<unsigned>(load_->worst())]);
	if (local.empty())
		return own;
	return load_->worst() == lost::nothing ? local : own + ", " + local;
}

void trial::judge()
{
	if (what_.may_be_wrong) {
		EXPECT_GT(load_->wrong(), 0u) << "the fault shows in no answer";
		EXPECT_NE(failed_engines_, 0u) << "the self-test does not find it";
	} else {
		EXPECT_EQ(load_->wrong(), 0u) << "answers that are wrong and said to be right";
	}
	EXPECT_EQ(load_->hung(), 0u);
	EXPECT_FALSE(must_be_told() && noticed_ns_ == 0) << "nobody noticed";
	for (unsigned i = 0; i < ACCEL_RUNG_COUNT; i++) {
		const auto rung = static_cast<accel::rung>(i);
		if (on_.device().history(rung).tried > before_[i].tried)
			found_.rung = accel_rung_name(i);
	}
	found_.lost = what_was_lost();
	if (noticed_ns_ != 0)
		found_.noticed_ms = ms(fired_ns_, noticed_ns_);
	found_.good_ms = ms(fired_ns_, load_->good_since(fired_before_ns_));
}

/* Good answers and good health, one of which may be a moment behind the other. */
bool trial::works_again(unsigned seconds)
{
	const std::uint64_t end = boot_ns() + seconds * NS_PER_S * slowness();

	load_->start_over();
	while (boot_ns() < end) {
		load_->round();
		if (load_->in_a_row() >= SETTLED_ROUNDS &&
		    on_.device().health().state_name() == "ok")
			return true;
	}
	return false;
}

/* By the mildest that helps; that it takes somebody's hand is part of the row. */
void trial::heal()
{
	const std::string state = on_.port().ask(R"({"request":"state"})");
	if (state.find("\"id\"") != state.npos)
		on_.port().ask(R"({"request":"clear"})");
	const std::uint64_t began = boot_ns();
	const bool was_good = has_settled();
	const bool was_gone = on_.device().health().reason_name() == "gone";
	const auto after = [&](const char *what) {
		if (was_good && found_.by_hand.empty())
			return;
		found_.by_hand = what;
		if (bystander_)
			found_.lost = what_was_lost();
		found_.good_ms = ms(began, load_->good_since(began));
	};

	if (was_good && works_again(2))
		return;
	/* Only the test that found it can take it back. */
	std::uint64_t failed = 0;
	if (failed_engines_ != 0 &&
	    accel_device_self_test(on_.device().get(), &failed, ACCEL_TIMEOUT_DEFAULT) == 0 &&
	    failed == 0 && works_again(2))
		return after("self-test");
	if (!was_gone && accel_device_recover(on_.device().get(), 60'000'000'000) == 0 &&
	    works_again(2))
		return after("recover");
	if (!was_gone &&
	    accel_device_reset(on_.device().get(), ACCEL_RUNG_SOFT_RESET, 60'000'000'000) == 0 &&
	    works_again(10))
		return after("reset");
	load_.reset();
	stream_.reset();
	bystander_.reset();
	local_.reset();
	on_.open_anew();
	load_.emplace(on_.device());
	EXPECT_TRUE(works_again(30))
		<< "no good answer after the fault was taken out: "
		<< on_.device().health().reason_name() << ", " << load_->first_failure();
	after(on_.is_kernel() ? "reset by the PCI core" : "opened anew");
}

finding trial::run()
{
	prepare();
	if (!testing::Test::HasFatalFailure())
		start();
	if (testing::Test::HasFatalFailure())
		return found_;
	watch();
	check_health_while_it_holds();
	judge();
	heal();
	return found_;
}

} // namespace faults
