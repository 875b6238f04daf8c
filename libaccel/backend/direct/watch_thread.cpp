// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See watch_thread.hpp.
#include "watch_thread.hpp"

#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.hpp"
#include "error.hpp"

namespace accel::direct
{

watch_thread::watch_thread(int signal_fd, int hang_up_fd, looker look)
	: look_(std::move(look)), epoll_(epoll_create1(EPOLL_CLOEXEC)),
	  wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
	/* By edges: the descriptor's own reader loses nothing, nor do we. */
	const auto add = [&](int fd, std::uint32_t events) {
		epoll_event event{};
		event.events = events | EPOLLET;
		return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
	};
	if (!epoll_.is_open() || !wake_.is_open() || !add(signal_fd, EPOLLIN) ||
	    !add(wake_.get(), EPOLLIN) || (hang_up_fd >= 0 && !add(hang_up_fd, EPOLLRDHUP)))
		throw failure(errno, "watch of a card: " + errno_text(errno));
	/* The program's signals are for its own threads. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	try {
		thread_ = std::thread([this] { run(); });
	} catch (...) {
		pthread_sigmask(SIG_SETMASK, &before, nullptr);
		throw;
	}
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	pthread_setname_np(thread_.native_handle(), "accel-watch");
}

void watch_thread::run()
{
	while (!is_stopping_.load()) {
		const std::int64_t next = look_();
		epoll_event event;
		if (!is_stopping_.load())
			epoll_wait(epoll_.get(), &event, 1, time_left(next).milliseconds());
	}
}

void watch_thread::wake() const noexcept
{
	eventfd_write(wake_.get(), 1);
}

void watch_thread::stop() noexcept
{
	is_stopping_.store(true);
	wake();
	if (thread_.joinable())
		thread_.join();
}

} // namespace accel::direct
