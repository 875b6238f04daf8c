// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The control socket of an emulated card.
#include "emu_control.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace accelctl
{

namespace
{

constexpr time_t PATIENCE_S = 30;
constexpr std::size_t REPLY_MAX = std::size_t{ 16 } << 20;

class connection
{
public:
	explicit connection(const std::string &path);
	connection(const connection &) = delete;
	connection &operator=(const connection &) = delete;
	~connection() { close(fd_); }
	void send(const std::string &line);
	std::string receive();

private:
	[[noreturn]] void fail(const std::string &why) const
	{
		throw failure(exit_code::not_found, path_, why,
			      "is accel-emu running there, and of this version?");
	}

	std::string path_;
	int fd_;
};

connection::connection(const std::string &path)
	: path_(path), fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
	const timeval patience{ PATIENCE_S, 0 };
	sockaddr_un address{};

	address.sun_family = AF_UNIX;
	if (fd_ < 0 || path.size() >= sizeof(address.sun_path)) {
		close(fd_);
		throw failure(exit_code::usage, path, "this is no path of a socket");
	}
	std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
	setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd_, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0)
		return;
	const int code = errno;
	close(fd_);
	if (code == EACCES)
		throw failure(exit_code::permission, path, std::strerror(code));
	fail(std::strerror(code));
}

void connection::send(const std::string &line)
{
	std::size_t sent = 0;

	while (sent < line.size()) {
		const ssize_t now =
			::send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
		if (now < 0 && errno == EINTR)
			continue;
		if (now <= 0)
			fail(std::strerror(errno));
		sent += static_cast<std::size_t>(now);
	}
}

std::string connection::receive()
{
	std::string line;
	char part[4096];

	while (line.find('\n') == line.npos && line.size() < REPLY_MAX) {
		const ssize_t got = recv(fd_, part, sizeof(part), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			fail(got < 0 ? std::strerror(errno) : "it hung up without an answer");
		line.append(part, static_cast<std::size_t>(got));
	}
	return line.substr(0, line.find('\n'));
}

} // namespace

std::string control_path_of(const std::string &card)
{
	constexpr std::string_view prefix = "socket:", ending = ".sock";

	if (!card.starts_with(prefix) || !card.ends_with(ending))
		throw failure(
			exit_code::skipped, card,
			"only cards that accel-emu serves have a control socket",
			"name one as socket:DIR/cardN.sock, or its control socket by --control");
	const std::string path = card.substr(prefix.size());
	return path.substr(0, path.size() - ending.size()) + ".ctl";
}

tree ask_emulator(const std::string &path, const tree &request)
{
	connection to(path);

	to.send(request.dump() + "\n");
	const tree reply = tree::parse(to.receive(), nullptr, false);
	if (!reply.is_object() || !reply.contains("ok"))
		throw failure(exit_code::version, path, "the answer is none that is known",
			      "use accel-emu of this version");
	if (reply["ok"] != true)
		throw failure(exit_code::usage, path, reply.value("error", reply.dump()),
			      "see accelctl emu list");
	return reply;
}

} // namespace accelctl
