// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Host -> card -> host copies of one size through a card's own queue, checked byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>

#include "card.hpp"

namespace accelctl
{

struct copy_result {
	std::uint64_t copies = 0;
	double seconds = 0;		/* of the timed copies alone, as this host saw them */
	std::uint64_t mismatches = 0;	/* bytes */
	std::uint64_t first_mismatch = 0;
};

class copy_job
{
public:
	/// Throws failure, as run() does.
	copy_job(card &of, std::size_t size, std::int64_t timeout_ns);
	~copy_job();
	copy_job(const copy_job &) = delete;
	copy_job &operator=(const copy_job &) = delete;

	/// A few copies with fresh data each, checked; then count copies timed, the last checked.
	copy_result run(unsigned count);

private:
	accel_buffer *map_buffer(unsigned flags, std::uint64_t &address);
	void create();
	void destroy();
	void copy(unsigned count);
	void refill();
	void compare(copy_result &into) const;
	void check(int error) const;

	card &card_;
	std::size_t size_;
	std::int64_t timeout_ns_;
	std::uint64_t seed_ = 1;
	accel_context *context_ = nullptr;
	accel_queue *queue_ = nullptr;
	accel_buffer *from_ = nullptr, *to_ = nullptr;
	std::uint64_t from_address_ = 0, to_address_ = 0;
};

} // namespace accelctl
