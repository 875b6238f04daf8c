// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See scripted_peer.hpp.
#include "scripted_peer.hpp"

#include <cstring>
#include <stdexcept>

#include <sys/socket.h>

scripted_peer::scripted_peer(script play)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		throw std::runtime_error("socketpair");
	client_ = accel::unique_fd(ends[0]);
	ours_ = accel::unique_fd(ends[1]);
	thread_ = std::thread([this, play = std::move(play)] { play(*this); });
}

scripted_peer::~scripted_peer()
{
	client_ = {};
	thread_.join();
}

accel::unique_fd scripted_peer::take_client()
{
	return std::move(client_);
}

scripted_peer::command scripted_peer::receive()
{
	command got;
	iovec part{ &got.header, sizeof(got.header) };
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * VFIO_USER_MAX_FDS)];
	msghdr message{};
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	const ssize_t head = recvmsg(ours_.get(), &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	if (head != sizeof(got.header))
		return {};
	if (const cmsghdr *rights = CMSG_FIRSTHDR(&message)) {
		const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (std::size_t i = 0; i < count; i++) {
			int fd;
			std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(fd));
			got.fds.emplace_back(fd);
		}
	}
	got.payload.resize(got.header.size - sizeof(got.header));
	if (!got.payload.empty() && recv(ours_.get(), got.payload.data(), got.payload.size(),
					 MSG_WAITALL) != static_cast<ssize_t>(got.payload.size()))
		return {};
	return got;
}

void scripted_peer::send(const vfio_user_header &header, std::span<const std::byte> payload, int fd)
{
	vfio_user_header head = header;
	iovec parts[2] = { { &head, sizeof(head) },
			   { const_cast<std::byte *>(payload.data()), payload.size() } };
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
	msghdr message{};
	message.msg_iov = parts;
	message.msg_iovlen = 2;
	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(fd));
		std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	sendmsg(ours_.get(), &message, MSG_NOSIGNAL);
}

void scripted_peer::reply(const command &to, std::span<const std::byte> payload, int fd)
{
	vfio_user_header header{};
	header.id = to.header.id;
	header.cmd = to.header.cmd;
	header.size = static_cast<std::uint32_t>(sizeof(header) + payload.size());
	header.flags = VFIO_USER_TYPE_REPLY;
	send(header, payload, fd);
}

void scripted_peer::reply_error(const command &to, std::uint32_t error, std::string_view text)
{
	vfio_user_header header{};
	header.id = to.header.id;
	header.cmd = to.header.cmd;
	header.size = static_cast<std::uint32_t>(sizeof(header) + text.size());
	header.flags = VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR;
	header.error = error;
	send(header, std::as_bytes(std::span(text)));
}

void scripted_peer::hang_up()
{
	shutdown(ours_.get(), SHUT_RDWR);
}

void scripted_peer::wait_for_end()
{
	while (receive().is_there()) {}
}
