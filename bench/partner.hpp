// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A second thread on the card's core that does its half of a measurement each time it is told to, and
// sleeps in between, so that it disturbs nothing that is measured without it.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "machine.hpp"

namespace bench
{

inline void relax()
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("yield");
#endif
}

class partner
{
public:
	explicit partner(std::function<void(long)> work, unsigned whose = CARD)
		: work_(std::move(work)), is_alone_(whose == CARD && cores().size() > 1),
		  thread_([this, whose] { live(whose); })
	{
	}
	partner(const partner &) = delete;
	partner &operator=(const partner &) = delete;
	~partner()
	{
		wait();
		tell(-1);
		thread_.join();
	}

	/* Returns once it has begun: waking it is not part of what is measured. */
	void start(long n)
	{
		if (n == 0)
			return;
		is_done_.store(false);
		tell(n);
		while (is_alone_ && order_.load(std::memory_order_acquire) != 0)
			relax();
	}
	void wait()
	{
		while (!is_done_.load(std::memory_order_acquire))
			is_alone_ ? relax() : std::this_thread::yield();
	}

private:
	void tell(long n)
	{
		order_.store(n, std::memory_order_release);
		order_.notify_one();
	}
	void live(unsigned whose)
	{
		pin(0, whose);
		for (;;) {
			order_.wait(0, std::memory_order_acquire);
			const long n = order_.exchange(0, std::memory_order_acq_rel);
			if (n < 0)
				return;
			work_(n);
			is_done_.store(true, std::memory_order_release);
		}
	}

	std::function<void(long)> work_;
	bool is_alone_;
	std::atomic<long> order_{ 0 };
	std::atomic<bool> is_done_{ true };
	std::thread thread_;
};

} // namespace bench
