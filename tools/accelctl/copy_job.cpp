// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Host -> card -> host copies of one size.
#include "copy_job.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

namespace accelctl
{

namespace
{

constexpr unsigned DEPTH = 16;
constexpr unsigned CHECKED_COPIES = 3;

} // namespace

copy_job::copy_job(card &of, std::size_t size, std::int64_t timeout_ns)
	: card_(of), size_(size), timeout_ns_(timeout_ns)
{
	try {
		create();
	} catch (...) {
		destroy();
		throw;
	}
}

copy_job::~copy_job()
{
	destroy();
}

void copy_job::create()
{
	check(accel_context_create(card_.device(), &context_));
	check(accel_buffer_alloc(card_.device(), size_, &from_));
	check(accel_buffer_alloc(card_.device(), size_, &to_));
	check(accel_buffer_map(context_, from_, 0, 0, ACCEL_MAP_READ, &from_address_));
	check(accel_buffer_map(context_, to_, 0, 0, ACCEL_MAP_WRITE, &to_address_));
	check(accel_queue_create(context_, DEPTH, 1, &queue_));
}

void copy_job::destroy()
{
	accel_queue_destroy(queue_);
	accel_context_destroy(context_);	/* maps go with it */
	accel_buffer_free(to_);
	accel_buffer_free(from_);
}

copy_result copy_job::run(unsigned count)
{
	using clock = std::chrono::steady_clock;
	copy_result out;

	for (unsigned i = 0; i < CHECKED_COPIES; i++) {
		refill();
		copy(1);
		compare(out);
	}
	refill();
	const clock::time_point start = clock::now();
	copy(count);
	out.seconds = std::chrono::duration<double>(clock::now() - start).count();
	compare(out);
	out.copies = CHECKED_COPIES + count;
	return out;
}

/* Keeps the queue full until count copies are done. */
void copy_job::copy(unsigned count)
{
	std::array<accel_completion, DEPTH> done{};
	unsigned submitted = 0, reaped = 0;

	while (reaped < count) {
		const unsigned before = submitted;
		for (; submitted < count && submitted - reaped < DEPTH; submitted++)
			check(accel_queue_copy(queue_, to_address_, from_address_, size_,
					       submitted));
		if (submitted != before)
			check(accel_queue_submit(queue_));
		const int n = accel_queue_wait(queue_, done.data(), DEPTH, timeout_ns_);
		check(std::min(n, 0));
		for (int i = 0; i < n; i++) {
			const accel_completion &completion = done[static_cast<std::size_t>(i)];
			if (completion.result != 0)
				throw failure(exit_code_of(-completion.result), card_.name(),
					      std::string("a copy failed: ") +
						      accel_code_text(completion.code));
		}
		reaped += static_cast<unsigned>(n);
	}
}

/* Another pattern than before in the source, and none of it in the destination. */
void copy_job::refill()
{
	auto *const source = static_cast<std::uint8_t *>(accel_buffer_host(from_));
	std::uint64_t x = seed_++ * 0x9e3779b97f4a7c15u;

	for (std::size_t i = 0; i < size_; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		std::memcpy(source + i, &x, std::min(sizeof(x), size_ - i));
	}
	auto *const destination = static_cast<std::uint8_t *>(accel_buffer_host(to_));
	for (std::size_t i = 0; i < size_; i++)
		destination[i] = static_cast<std::uint8_t>(~source[i]);
}

void copy_job::compare(copy_result &into) const
{
	const auto *const source = static_cast<const std::uint8_t *>(accel_buffer_host(from_));
	const auto *const copied = static_cast<const std::uint8_t *>(accel_buffer_host(to_));

	if (std::memcmp(source, copied, size_) == 0)
		return;
	for (std::size_t i = 0; i < size_; i++) {
		if (source[i] == copied[i])
			continue;
		if (into.mismatches++ == 0)
			into.first_mismatch = i;
	}
}

void copy_job::check(int error) const
{
	if (error != 0)
		throw library_failure(error, card_.name());
}

} // namespace accelctl
