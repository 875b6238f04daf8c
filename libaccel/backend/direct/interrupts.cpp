// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See interrupts.hpp.
#include "interrupts.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

unique_fd make_event()
{
	unique_fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!event.is_open())
		throw failure(errno, "interrupt: no eventfd: " + errno_text(errno));
	return event;
}

/* A new user of an eventfd sees no interrupt of an old one. */
void drain(int event_fd)
{
	eventfd_t count;
	eventfd_read(event_fd, &count);
}

} // namespace

interrupts::interrupts(bus &on) : bus_(on), vectors_(on.vectors())
{
	connect(0);
	if (!is_single())
		return;
	admin_event_ = make_event();
	start();
}

interrupts::~interrupts()
{
	{
		const std::lock_guard lock(mutex_);
		shared_.clear();
		admin_event_ = unique_fd();
	}
	stop();
}

void interrupts::connect(unsigned number)
{
	vector &one = vectors_[number];
	if (one.event.is_open())
		return;
	unique_fd event = make_event();
	bus_.connect_vector(number, event.get());
	one.event = std::move(event);
}

interrupts::line interrupts::take()
{
	const std::lock_guard lock(mutex_);
	const auto last = static_cast<unsigned>(vectors_.size() - 1);
	for (unsigned number = 1; number < last; number++) {
		vector &one = vectors_[number];
		if (one.is_taken)
			continue;
		connect(number);
		drain(one.event.get());
		one.is_taken = true;
		return { number, one.event.get() };
	}
	return take_shared();
}

/* Under mutex_. */
interrupts::line interrupts::take_shared()
{
	const auto last = static_cast<unsigned>(vectors_.size() - 1);
	connect(last);
	shared_.push_back(make_event());
	if (!fan_out_.joinable())
		start();
	return { last, shared_.back().get() };
}

/* The thread that passes on. */
void interrupts::start()
{
	stop_event_ = make_event();
	const int event_fd = vectors_.back().event.get();
	const int stop_fd = stop_event_.get();
	fan_out_ = std::thread([this, event_fd, stop_fd] { pass_on(event_fd, stop_fd); });
}

void interrupts::give(const line &taken) noexcept
{
	bool is_last = false;
	{
		const std::lock_guard lock(mutex_);
		if (taken.vector + 1 < vectors_.size()) {
			vectors_[taken.vector].is_taken = false;
			return;
		}
		shared_.remove_if(
			[&](const unique_fd &event) { return event.get() == taken.event_fd; });
		is_last = shared_.empty();
	}
	if (is_last)
		stop();
}

/* The thread of the last vector. */
void interrupts::pass_on(int event_fd, int stop_fd)
{
	pollfd fds[2] = { { event_fd, POLLIN, 0 }, { stop_fd, POLLIN, 0 } };
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return;
		drain(event_fd);
		const std::lock_guard lock(mutex_);
		if (admin_event_.is_open())
			eventfd_write(admin_event_.get(), 1);
		for (const unique_fd &event : shared_)
			eventfd_write(event.get(), 1);
	}
}

/* Ends the thread, unless a queue came meanwhile. */
void interrupts::stop() noexcept
{
	std::thread ended;
	unique_fd stop_event;	/* open for as long as the thread polls it */
	{
		const std::lock_guard lock(mutex_);
		if (!fan_out_.joinable() || !shared_.empty() || admin_event_.is_open())
			return;
		eventfd_write(stop_event_.get(), 1);
		stop_event = std::move(stop_event_);
		ended = std::move(fan_out_);
	}
	ended.join();
}

} // namespace accel::direct
