// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See load.hpp.
#include "load.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include <time.h>
#include <unistd.h>

#include "../support/asleep.hpp"

using namespace std::chrono_literals;

namespace faults
{

namespace
{

constexpr std::uint32_t SIDE = 16, COMMANDS = 3; /* tags of a round: wait, GEMM, copy */
constexpr std::size_t WORDS = 512;
constexpr auto SLICE = 1s;
constexpr std::uint64_t NS_PER_S = 1000000000;

std::int8_t element(std::uint32_t round, std::size_t at)
{
	return static_cast<std::int8_t>(round * 7 + at * 31 + at / SIDE);
}

std::uint64_t word(std::uint32_t round, std::size_t at)
{
	return (std::uint64_t{ round } << 32 | at) * 0x9e3779b97f4a7c15;
}

std::int32_t product_at(const std::int8_t *a, const std::int8_t *b, std::size_t row,
			std::size_t column)
{
	std::int32_t sum = 0;
	for (std::size_t k = 0; k < SIDE; k++)
		sum += a[row * SIDE + k] * b[k * SIDE + column];
	return sum;
}

} // namespace

std::uint64_t boot_ns()
{
	timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * NS_PER_S +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

unsigned slowness()
{
	const char *given = std::getenv("OAC_TEST_SLOW");
	const unsigned long factor = given ? std::strtoul(given, nullptr, 10) : 1;
	return std::max(1u, static_cast<unsigned>(factor));
}

load::program::program(const accel::device &on)
	: context(on), memory(on, context, 64 * 1024), gate(context), queue(context, 16u),
	  a(memory.take<std::int8_t>(SIDE * SIDE)), b(memory.take<std::int8_t>(SIDE * SIDE)),
	  product(memory.take<std::int32_t>(SIDE * SIDE)),
	  source(memory.take<std::uint64_t>(WORDS)), copy(memory.take<std::uint64_t>(WORDS))
{
}

bool load::make()
{
	if (now_)
		return true;
	try {
		now_.emplace(card_);
		gate_value_ = 0;
		return true;
	} catch (const std::system_error &error) {
		now_.reset();
		fail(-error.code().value(), "make");
		/* Whoever may not begin a recovery can but try again, when there is news. */
		wait_for_news();
		return false;
	}
}

void load::wait_for_news()
{
	accel::event one{};

	if (!news_)
		news_.emplace(card_.watch_events());
	news_->read({ &one, 1 }, 1ms);
}

void load::prepare()
{
	program &p = *now_;

	round_++;
	for (std::size_t i = 0; i < p.a.host.size(); i++) {
		p.a.host[i] = element(round_, i);
		p.b.host[i] = element(~round_, i);
	}
	for (std::size_t i = 0; i < WORDS; i++)
		p.source.host[i] = word(round_, i);
	std::memset(p.product.host.data(), 0x5a, p.product.host.size_bytes());
	std::memset(p.copy.host.data(), 0x5a, p.copy.host.size_bytes());
}

/* How many commands, or an error. */
int load::write()
{
	program &p = *now_;
	accel::gemm op{};
	const std::uint32_t tag = round_ * COMMANDS;

	op.type = ACCEL_TYPE_S8;
	op.out_type = ACCEL_TYPE_S32;
	op.a = p.a.address;
	op.b = p.b.address;
	op.out = p.product.address;
	op.m = op.n = op.k = SIDE;
	open_ = 0b110;
	if (sleeps_) {
		open_ |= 1;
		if (const int error = p.queue.try_wait(p.gate, gate_value_ + 1, tag); error)
			return error;
	}
	if (const int error = p.queue.try_exec(op, tag + 1); error)
		return error;
	if (const int error =
		    p.queue.try_copy(p.copy.address, p.source.address, WORDS * 8, tag + 2);
	    error)
		return error;
	if (const int error = p.queue.submit(); error)
		return error;
	return sleeps_ ? 3 : 2;
}

/* What is done must be right at once. */
void load::judge(const accel::completion &one)
{
	const program &p = *now_;
	const std::uint32_t which = one.tag - round_ * COMMANDS;

	if (one.result != 0)
		return;
	if (which >= COMMANDS || (open_ >> which & 1) == 0) {
		wrong_++;
		return;
	}
	open_ &= ~(1u << which);
	bool is_right = true;
	if (which == 1) {
		for (std::size_t i = 0; i < p.product.host.size(); i++)
			is_right &=
				p.product.host[i] ==
				product_at(p.a.host.data(), p.b.host.data(), i / SIDE, i % SIDE);
	} else if (which == 2) {
		is_right =
			std::equal(p.copy.host.begin(), p.copy.host.end(), p.source.host.begin());
	}
	if (!is_right)
		wrong_++;
}

load::outcome load::collect(int commands)
{
	const std::uint64_t end = boot_ns() + 60 * NS_PER_S * slowness();
	std::vector<accel::completion> done(8);
	bool has_failed = false;

	for (int have = 0; have < commands;) {
		const int got = now_->queue.wait(done, SLICE);
		if (got == -ETIMEDOUT && is_given_up())
			return outcome::given_up;
		if (got == -ETIMEDOUT && boot_ns() > end) {
			hung_++;
			return fail(got, "wait");
		}
		if (got == -ETIMEDOUT)
			continue;
		if (got < 0)
			return fail(got, "wait");
		have += got;
		for (int i = 0; i < got; i++) {
			judge(done[static_cast<std::size_t>(i)]);
			if (done[static_cast<std::size_t>(i)].result == 0)
				continue;
			has_failed = true;
			fail(done[static_cast<std::size_t>(i)].result,
			     accel_code_text(done[static_cast<std::size_t>(i)].code));
		}
	}
	return has_failed ? outcome::failed : outcome::good;
}

load::outcome load::round()
{
	const std::uint64_t begin = boot_ns();
	std::future<void> opener;

	if (!make())
		return is_given_up() ? outcome::given_up : outcome::failed;
	is_useless_ = false;
	prepare();
	const int commands = write();
	if (commands < 0) {
		fail(commands, "submit");
		now_.reset();
		return outcome::failed;
	}
	if (sleeps_) {
		opener = std::async(std::launch::async, [this, waiter = gettid()] {
			support::wait_until_asleep(waiter);
			now_->gate.signal(gate_value_ + 1);
		});
	}
	const outcome how = collect(commands);
	if (sleeps_) {
		opener.wait();
		gate_value_++;
	}
	const std::uint64_t end = boot_ns();
	longest_ms_ = std::max(longest_ms_, static_cast<double>(end - begin) / 1e6);
	if (how == outcome::given_up || is_useless_)
		now_.reset();
	if (how != outcome::good)
		return how;
	good_++;
	good_ends_.push_back(end);
	return how;
}

/* What is lost tells itself: by a context that is, a queue that ends, or the card that is not there. */
load::outcome load::fail(int error, const std::string &what)
{
	lost how = lost::nothing;

	if (error == -ENODEV)
		how = lost::card;
	else if (now_ && accel_context_lost(now_->context.get()) != ACCEL_LOST_NO)
		how = lost::context;
	else if (now_ && (error == -ESTALE || now_->queue.submit() == -ESTALE))
		how = lost::queue;
	else if (now_)
		how = lost::command;
	worst_ = std::max(worst_, how);
	failed_++;
	good_ends_.clear();
	if (first_failure_ns_ == 0) {
		first_failure_ns_ = boot_ns();
		first_failure_ = what + ": " + strerrorname_np(-error);
	}
	/* A queue in which a command failed takes no more. */
	is_useless_ = true;
	return outcome::failed;
}

/* Nobody is at work on it any more. */
bool load::is_given_up()
{
	const accel::health health = card_.health();
	const bool is_hopeless = health.state_name() == "failed" || health.is_held ||
				 health.state_name() == "needs_firmware" ||
				 health.reason_name() == "too_hot";

	if (!is_hopeless)
		hopeless_since_ = 0;
	else if (hopeless_since_ == 0)
		hopeless_since_ = boot_ns();
	return is_hopeless && boot_ns() - hopeless_since_ > NS_PER_S * slowness();
}

std::uint64_t load::good_since(std::uint64_t ns) const
{
	const auto found = std::upper_bound(good_ends_.begin(), good_ends_.end(), ns);

	return found == good_ends_.end() ? 0 : *found;
}

void load::start_over()
{
	first_failure_ns_ = hopeless_since_ = 0;
	good_ends_.clear();
	first_failure_.clear();
	worst_ = lost::nothing;
	longest_ms_ = 0;
}

} // namespace faults
