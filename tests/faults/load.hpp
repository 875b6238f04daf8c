// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A program whose every answer is known beforehand: rounds of a GEMM and a copy, each compared when the
// card says that it is done. It makes anew what it lost, as a program would, and keeps count.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <accel/accel.hpp>

#include "fixture.hpp"

namespace faults
{

/* CLOCK_BOOTTIME, as events have it. */
std::uint64_t boot_ns();
/* How many times slower than usual things may be here: OAC_TEST_SLOW, else 1. */
unsigned slowness();

enum class lost { nothing, command, queue, context, card };

class load
{
public:
	enum class outcome { good, failed, given_up };

	/* sleeps: each round waits for an interrupt. */
	explicit load(accel::device &card, bool sleeps = false) : card_(card), sleeps_(sleeps) {}

	/* One round, or what must be made anew before. given_up: health says that nobody helps. */
	outcome round();

	std::uint64_t good() const { return good_; }
	std::uint64_t failed() const { return failed_; }
	/* Said to be done, and not what it should be. */
	std::uint64_t wrong() const { return wrong_; }
	/* Rounds without an end. */
	std::uint64_t hung() const { return hung_; }
	double longest_ms() const { return longest_ms_; }
	std::uint64_t first_failure_ns() const { return first_failure_ns_; }
	const std::string &first_failure() const { return first_failure_; }
	/* When the first good round ended after this and after the last failure; 0: none has. */
	std::uint64_t good_since(std::uint64_t ns) const;
	/* Good rounds since the last failure. */
	std::size_t in_a_row() const { return good_ends_.size(); }
	lost worst() const { return worst_; }
	/* What went wrong before does not count. */
	void start_over();

private:
	struct program {
		explicit program(const accel::device &on);
		accel::context context;
		api::arena memory;
		accel::timeline gate;
		accel::queue queue;
		api::arena::piece<std::int8_t> a, b;
		api::arena::piece<std::int32_t> product;
		api::arena::piece<std::uint64_t> source, copy;
	};

	bool make();
	void wait_for_news();
	void prepare();
	int write();
	outcome collect(int commands);
	void judge(const accel::completion &one);
	outcome fail(int error, const std::string &what);
	bool is_given_up();

	accel::device &card_;
	bool sleeps_;
	std::optional<program> now_;
	std::optional<accel::event_stream> news_;
	std::uint32_t round_ = 0;
	std::uint64_t gate_value_ = 0;
	unsigned open_ = 0; /* commands of this round that are not told of, a bit each */
	bool is_useless_ = false; /* what now_ is */
	std::uint64_t hopeless_since_ = 0;

	std::atomic<std::uint64_t> good_{ 0 }, failed_{ 0 }, wrong_{ 0 }, hung_{ 0 };
	double longest_ms_ = 0;
	std::uint64_t first_failure_ns_ = 0;
	std::vector<std::uint64_t> good_ends_; /* since the last failure */
	std::string first_failure_;
	lost worst_ = lost::nothing;
};

} // namespace faults
