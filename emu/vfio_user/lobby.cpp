// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See lobby.hpp.
#include "lobby.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace oac::vfio_user
{

using namespace std::chrono_literals;

/* A client that says nothing for so long is let go without an answer. */
static constexpr auto PATIENCE = 1s;
static constexpr std::size_t MAX_REFUSED = 16;

void lobby::watch(std::vector<pollfd> &fds) const
{
	if (listener_.is_open() && clock::now() >= closed_until_)
		fds.push_back({ listener_.get(), POLLIN, 0 });
	for (const auto &v : refused_)
		fds.push_back({ v.peer->fd(), POLLIN, 0 });
}

unique_fd lobby::admit(log &lines)
{
	if (!listener_.is_open() || clock::now() < closed_until_)
		return {};
	unique_fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
	if (!client.is_open() && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		lines.write(log_level::error, "cannot accept a client: %s", std::strerror(errno));
		closed_until_ = clock::now() + 100ms;
	}
	return client;
}

void lobby::refuse(unique_fd client)
{
	if (refused_.size() == MAX_REFUSED)
		refused_.erase(refused_.begin());
	refused_.push_back({ std::make_unique<socket_channel>(std::move(client), stop_fd_),
			     clock::now() + PATIENCE });
}

/*
 * Clients keep as much room for an answer as their request took (QEMU ends a connection that sends
 * more): without room the holder stays unnamed.
 */
static std::string holder_text(pid_t holder, std::size_t room)
{
	std::string text = "{\"holder\": " + std::to_string(holder) + "}";

	if (holder <= 0 || text.size() > room)
		text.clear();
	return text;
}

bool lobby::is_done_with(visitor &v, log &lines, pid_t holder) const
{
	const auto m = v.peer->try_receive();
	if (!m)
		return v.peer->is_closed() || clock::now() >= v.until;
	vfio_user_header busy{};
	busy.id = m->header.id;
	busy.cmd = m->header.cmd;
	busy.flags = VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR;
	busy.error = EBUSY;
	const std::string text = holder_text(holder, m->payload.size());
	v.peer->send(encode(busy, std::as_bytes(std::span(text))), -1);
	lines.write(log_level::info, "the card has a client: another one refused");
	return true;
}

void lobby::attend(log &lines, pid_t holder)
{
	std::erase_if(refused_, [&](visitor &v) { return is_done_with(v, lines, holder); });
}

} // namespace oac::vfio_user
