// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How long this thread may wait for a card. What waits has a limit of its own, after which the card
// is given up; a call whose caller set a deadline puts that above all that waits below it, and when
// it passes the card is only left alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "clock.hpp"

namespace accel::direct
{

class patience
{
public:
	/* From here on, until this ends; never later than what an outer one says. */
	explicit patience(std::int64_t deadline) noexcept : before_(until_)
	{
		until_ = std::min(until_, deadline);
	}
	patience(const patience &) = delete;
	patience &operator=(const patience &) = delete;
	~patience() { until_ = before_; }

	/* For what must not be left halfway; has limits of its own. */
	class suspended
	{
	public:
		suspended() noexcept : before_(until_) { until_ = INT64_MAX; }
		suspended(const suspended &) = delete;
		suspended &operator=(const suspended &) = delete;
		~suspended() { until_ = before_; }

	private:
		std::int64_t before_;
	};

	static bool is_over() noexcept { return until_ != INT64_MAX && now_ns() >= until_; }
	/* The deadline of a wait that may take timeout_ns. */
	static std::int64_t within(std::int64_t timeout_ns) noexcept
	{
		return std::min(until_, now_ns() + timeout_ns);
	}

private:
	static inline thread_local std::int64_t until_ = INT64_MAX;
	std::int64_t before_;
};

} // namespace accel::direct
