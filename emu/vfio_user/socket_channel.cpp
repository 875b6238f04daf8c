// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See socket_channel.hpp.
#include "socket_channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace oac::vfio_user
{

using namespace std::chrono_literals;

/* A client that reads none of its replies for so long is not coming back. */
static constexpr auto SEND_TIMEOUT = 10s;

socket_channel::socket_channel(unique_fd socket, int stop_fd)
	: socket_(std::move(socket)), stop_fd_(stop_fd)
{
}

/* false: time is up or the server is to stop. */
bool socket_channel::wait(short events, std::chrono::milliseconds timeout)
{
	const auto end = std::chrono::steady_clock::now() + timeout;
	for (;;) {
		const auto left = std::chrono::ceil<std::chrono::milliseconds>(
			end - std::chrono::steady_clock::now());
		pollfd fds[] = { { socket_.get(), events, 0 }, { stop_fd_, POLLIN, 0 } };
		const int ready =
			poll(fds, 2,
			     static_cast<int>(
				     std::max(left, std::chrono::milliseconds::zero()).count()));
		if (ready < 0 && errno == EINTR)
			continue;
		return ready > 0 && !fds[1].revents;
	}
}

bool socket_channel::send(std::span<const std::byte> bytes, int fd)
{
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
	while (!bytes.empty() && !is_closed_) {
		iovec part{ const_cast<std::byte *>(bytes.data()), bytes.size() };
		msghdr header{};
		header.msg_iov = &part;
		header.msg_iovlen = 1;
		if (fd >= 0) {
			header.msg_control = control;
			header.msg_controllen = sizeof(control);
			cmsghdr *rights = CMSG_FIRSTHDR(&header);
			rights->cmsg_level = SOL_SOCKET;
			rights->cmsg_type = SCM_RIGHTS;
			rights->cmsg_len = CMSG_LEN(sizeof(int));
			std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
		}
		const ssize_t sent = sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			bytes = bytes.subspan(static_cast<std::size_t>(sent));
			fd = -1;
		} else if (errno == EAGAIN) {
			is_closed_ = !wait(POLLOUT, SEND_TIMEOUT);
		} else if (errno != EINTR) {
			is_closed_ = true;
		}
	}
	return !is_closed_;
}

static std::vector<unique_fd> take_fds(msghdr &header)
{
	std::vector<unique_fd> fds;
	for (cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (std::size_t i = 0; i < count; i++) {
			int fd;
			std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			fds.emplace_back(fd);
		}
	}
	return fds;
}

std::optional<message> socket_channel::try_receive()
{
	while (!is_closed_) {
		const auto room = assembler_.room();
		if (room.empty())
			break;
		/* One more than a message may have: too many are seen as such. */
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (VFIO_USER_MAX_FDS + 1))];
		iovec part{ room.data(), room.size() };
		msghdr header{};
		header.msg_iov = &part;
		header.msg_iovlen = 1;
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		const ssize_t got =
			recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return std::nullopt;
		if (got <= 0) {
			is_closed_ = true;
			break;
		}
		auto whole = assembler_.advance(static_cast<std::size_t>(got), take_fds(header));
		if (whole)
			return whole;
	}
	return std::nullopt;
}

std::optional<message> socket_channel::receive(std::chrono::milliseconds timeout)
{
	const auto end = std::chrono::steady_clock::now() + timeout;
	for (;;) {
		auto whole = try_receive();
		if (whole || is_closed_)
			return whole;
		const auto left = end - std::chrono::steady_clock::now();
		if (!wait(POLLIN, std::chrono::ceil<std::chrono::milliseconds>(left)))
			return std::nullopt;
	}
}

} // namespace oac::vfio_user
