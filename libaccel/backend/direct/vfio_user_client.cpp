// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See vfio_user_client.hpp. The socket is non-blocking in effect (MSG_DONTWAIT and ppoll), so that
// every wait has its deadline; MSG_NOSIGNAL keeps a dead peer from killing the program.
#include "vfio_user_client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "clock.hpp"
#include "error.hpp"
#include "patience.hpp"

namespace accel::direct
{

namespace
{

constexpr int ERRNO_MAX = 4095;

/* Descriptors of a received message, closed unless taken. */
void take_fds(msghdr &header, std::vector<unique_fd> *to)
{
	for (cmsghdr *part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (std::size_t i = 0; i < count; i++) {
			int fd;
			std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
			unique_fd owned(fd);
			if (to)
				to->push_back(std::move(owned));
		}
	}
}

/*
 * The number of {"holder": PID} behind the header of an error reply; 0: it says nothing of the kind.
 * A server of another make may put anything there.
 */
std::int32_t holder_in(std::span<const std::byte> payload)
{
	constexpr std::string_view KEY = "\"holder\"";
	const std::string_view text(reinterpret_cast<const char *>(payload.data()), payload.size());
	const std::size_t key = text.find(KEY);
	if (key == text.npos)
		return 0;
	const std::size_t start = text.find_first_not_of(": ", key + KEY.size());
	std::int32_t holder = 0;
	if (start == text.npos ||
	    std::from_chars(text.data() + start, text.data() + text.size(), holder).ec !=
		    std::errc() ||
	    holder < 0)
		return 0;
	return holder;
}

} // namespace

vfio_user_client::vfio_user_client(unique_fd socket, std::string name, std::int64_t timeout_ns)
	: socket_(std::move(socket)), name_(std::move(name)), timeout_ns_(timeout_ns)
{
}

void vfio_user_client::die() noexcept
{
	if (!is_dead_.exchange(true))
		shutdown(socket_.get(), SHUT_RDWR);
}

void vfio_user_client::broken(int code, const std::string &what)
{
	die();
	throw failure(code,
		      "card " + name_ + ": " + what + "; the card is given up, open it again");
}

vfio_user_client::reply vfio_user_client::request(std::uint16_t command,
						  std::span<const std::byte> fixed,
						  std::span<const std::byte> data,
						  std::span<const int> fds, std::size_t reply_min)
{
	const deadline_lock lock(request_mutex_, patience::within(DEFAULT_TIMEOUT_NS),
				 "card " + name_);
	const std::int64_t deadline = now_ns() + timeout_ns_;
	vfio_user_header header{};
	header.id = next_id_++;
	header.cmd = command;
	header.flags = VFIO_USER_TYPE_COMMAND;
	collect_left(deadline);
	if (const int error = send(header, fixed, data, fds, deadline))
		broken(-error, "it takes no more messages");
	std::optional<incoming> got = receive_reply(deadline);
	if (!got) {
		/* The card may still answer; the next request sees to that. */
		left_ = header.id;
		too_late();
	}
	check_reply(*got, header, reply_min);
	return std::move(got->body);
}

/* The answer that an earlier caller did not wait for. One at most: no more is asked before it came. */
void vfio_user_client::collect_left(std::int64_t deadline)
{
	if (!left_)
		return;
	const std::optional<incoming> got = receive_reply(deadline);
	if (!got)
		too_late();
	if ((got->header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_REPLY ||
	    got->header.id != *left_)
		broken(EPROTO, "it answered a command that was not asked");
	left_.reset();
}

/* Nothing: the caller waits no longer. */
std::optional<vfio_user_client::incoming> vfio_user_client::receive_reply(std::int64_t deadline)
{
	for (;;) {
		if (!wait_for(POLLIN, patience::within(timeout_ns_)) && now_ns() < deadline)
			return std::nullopt;
		incoming got = receive(deadline);
		if ((got.header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND)
			return got;
		refuse_command(got.header, deadline);
	}
}

void vfio_user_client::too_late() const
{
	throw failure(ETIMEDOUT, "card " + name_ + ": no answer in time; allow more time");
}

void vfio_user_client::check_reply(const incoming &got, const vfio_user_header &asked,
				   std::size_t reply_min)
{
	if ((got.header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_REPLY ||
	    got.header.id != asked.id || got.header.cmd != asked.cmd)
		broken(EPROTO, "it answered a command that was not asked");
	if (got.header.flags & VFIO_USER_FLAG_ERROR) {
		const auto error = got.header.error;
		const int code = error > 0 && error <= ERRNO_MAX ? static_cast<int>(error) : EPROTO;
		throw refusal(code,
			      "card " + name_ + ": it refused command " +
				      std::to_string(asked.cmd) + ": " + errno_text(code),
			      holder_in(got.body.payload));
	}
	if (got.body.payload.size() < reply_min)
		broken(EPROTO,
		       "its answer to command " + std::to_string(asked.cmd) + " is too short");
}

/*
 * All memory that the card may use was given as descriptors, so that it has no reason to ask for it
 * by message: it is told so, and the wait goes on.
 */
void vfio_user_client::refuse_command(const vfio_user_header &asked, std::int64_t deadline)
{
	if (asked.flags & VFIO_USER_FLAG_NO_REPLY)
		return;
	const bool is_dma = asked.cmd == VFIO_USER_DMA_READ || asked.cmd == VFIO_USER_DMA_WRITE;
	vfio_user_header header{};
	header.id = asked.id;
	header.cmd = asked.cmd;
	header.flags = VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR;
	header.error = is_dma ? EFAULT : EOPNOTSUPP;
	if (const int error = send(header, {}, {}, {}, deadline))
		broken(-error, "it takes no more messages");
}

int vfio_user_client::post(std::uint16_t command, std::span<const std::byte> payload) noexcept
{
	vfio_user_header header{};
	header.cmd = command;
	header.flags = VFIO_USER_TYPE_COMMAND | VFIO_USER_FLAG_NO_REPLY;
	if (send(header, payload, {}, {}, now_ns() + timeout_ns_) == 0)
		return 0;
	die();
	return -ENODEV;
}

/* true: ready before the deadline. */
bool vfio_user_client::wait_for(short events, std::int64_t deadline) noexcept
{
	pollfd fd{ socket_.get(), events, 0 };
	for (;;) {
		const int ready = ppoll(&fd, 1, time_left(deadline).get(), nullptr);
		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

/* 0, -ENODEV or -ETIMEDOUT. A message that went out in part ends the connection: see the callers. */
int vfio_user_client::send(const vfio_user_header &header, std::span<const std::byte> fixed,
			   std::span<const std::byte> data, std::span<const int> fds,
			   std::int64_t deadline) noexcept
{
	vfio_user_header head = header;
	head.size = static_cast<std::uint32_t>(sizeof(head) + fixed.size() + data.size());
	iovec parts[3] = {
		{ &head, sizeof(head) },
		{ const_cast<std::byte *>(fixed.data()), fixed.size() },
		{ const_cast<std::byte *>(data.data()), data.size() },
	};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * VFIO_USER_MAX_FDS)] = {};
	msghdr message{};
	message.msg_iov = parts;
	message.msg_iovlen = 3;
	if (!fds.empty()) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fds.size_bytes());
		cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(fds.size_bytes());
		std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
	}

	const std::lock_guard lock(send_mutex_);
	std::size_t left = head.size;
	while (left > 0) {
		if (is_dead())
			return -ENODEV;
		const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				return -ENODEV;
			if (!wait_for(POLLOUT, deadline))
				return -ETIMEDOUT;
			continue;
		}
		/* The descriptors went with the first byte. */
		message.msg_control = nullptr;
		message.msg_controllen = 0;
		left -= static_cast<std::size_t>(sent);
		std::size_t skip = static_cast<std::size_t>(sent);
		for (iovec &part : parts) {
			const std::size_t gone = std::min(skip, part.iov_len);
			part.iov_base = static_cast<char *>(part.iov_base) + gone;
			part.iov_len -= gone;
			skip -= gone;
		}
	}
	return 0;
}

vfio_user_client::incoming vfio_user_client::receive(std::int64_t deadline)
{
	incoming got{};
	receive_bytes(std::as_writable_bytes(std::span(&got.header, 1)), &got.body.fds, deadline);
	if (got.header.size < sizeof(got.header) || got.header.size > VFIO_USER_MAX_MESSAGE_SIZE)
		broken(EPROTO, "it sent a message of impossible size");
	got.body.payload.resize(got.header.size - sizeof(got.header));
	receive_bytes(got.body.payload, nullptr, deadline);
	return got;
}

void vfio_user_client::receive_bytes(std::span<std::byte> to, std::vector<unique_fd> *fds,
				     std::int64_t deadline)
{
	while (!to.empty()) {
		if (is_dead())
			broken(ENODEV, "it is gone");
		iovec part{ to.data(), to.size() };
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * VFIO_USER_MAX_FDS)];
		msghdr message{};
		message.msg_iov = &part;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		const ssize_t got =
			recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got > 0) {
			take_fds(message, fds);
			to = to.subspan(static_cast<std::size_t>(got));
		} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
			broken(ENODEV, "it closed the connection");
		} else if (errno == EAGAIN && !wait_for(POLLIN, deadline)) {
			broken(ETIMEDOUT, "it does not answer");
		}
	}
}

} // namespace accel::direct
