// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See control_socket.hpp.
#include "control_socket.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>
#include <vector>

using oac::vfio_user::unique_fd;

static constexpr std::size_t CLIENTS_MAX = 64;
static constexpr mode_t OWNER_ONLY = 0600;

control_socket::control_socket() : stop_event_(eventfd(0, EFD_CLOEXEC))
{
	if (!stop_event_.is_open())
		throw std::system_error(errno, std::generic_category(), "eventfd");
}

control_socket::~control_socket()
{
	stop();
}

void control_socket::add(const std::string &path, answerer answer)
{
	door &fresh =
		doors_.emplace_back(listener(path, OWNER_ONLY), unique_fd(), std::move(answer));
	fresh.fd = fresh.at.take();
}

void control_socket::start()
{
	thread_ = std::thread([this] { run(); });
}

void control_socket::stop()
{
	if (!thread_.joinable())
		return;
	eventfd_write(stop_event_.get(), 1);
	thread_.join();
}

void control_socket::run() noexcept
{
	pthread_setname_np(pthread_self(), "oac-control");
	try {
		while (!is_stopping_)
			look();
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: control sockets have failed: %s\n", e.what());
	}
	clients_.clear();
}

void control_socket::look()
{
	std::vector<pollfd> all{ { stop_event_.get(), POLLIN, 0 } };

	for (const door &at : doors_)
		all.push_back({ at.fd.get(), POLLIN, 0 });
	for (const client &who : clients_) {
		const short events = who.lines.out.empty() ? POLLIN : POLLOUT;
		all.push_back({ who.fd.get(), events, 0 });
	}
	if (poll(all.data(), all.size(), -1) < 0)
		return;
	is_stopping_ = all[0].revents != 0;
	std::size_t at = 1 + doors_.size();
	for (auto who = clients_.begin(); who != clients_.end(); at++) {
		if (all[at].revents && !serve(*who, all[at].revents))
			who = clients_.erase(who);
		else
			++who;
	}
	at = 1;
	for (const door &each : doors_) {
		if (all[at++].revents)
			admit(each);
	}
}

void control_socket::admit(const door &at)
{
	unique_fd fd(accept4(at.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));

	if (!fd.is_open())
		return;
	if (clients_.size() == CLIENTS_MAX)
		clients_.pop_front();
	clients_.push_back({ std::move(fd), &at.answer, {} });
}

/* false: the client is done with. */
bool control_socket::serve(client &who, short events)
{
	if (events & POLLOUT)
		return give(who);
	return take(who) && give(who);
}

bool control_socket::take(client &who)
{
	char part[4096];
	const ssize_t got = recv(who.fd.get(), part, sizeof(part), 0);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	return who.lines.take({ part, static_cast<std::size_t>(got) }, *who.answer);
}

bool control_socket::give(client &who)
{
	std::string &out = who.lines.out;

	if (out.empty())
		return true;
	const ssize_t sent = send(who.fd.get(), out.data(), out.size(), MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	out.erase(0, static_cast<std::size_t>(sent));
	return true;
}
