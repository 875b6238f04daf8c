// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The peer from both sides. Each request is a byte; answers are a secrets, a line, or a descriptor.
#include "peer.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_client.hpp"

extern char **environ;

namespace isolation
{

namespace
{

enum : char {
	ask_check = 'c',
	ask_borrow = 'b',
	ask_misbehave = 'm',
	ask_hang = 'h',
};

/* Not where the tests' own clients have theirs. */
constexpr std::uint64_t peer_address = 0x7000000000;
constexpr std::uint32_t state_running = 0;

void send_descriptor(int to, int fd)
{
	char byte = fd < 0 ? 'n' : 'y';
	iovec vector = { &byte, 1 };
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = {};
	msghdr message = {};

	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(fd));
		std::memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	if (sendmsg(to, &message, 0) != 1)
		throw std::runtime_error("sendmsg");
}

int receive_descriptor(int from)
{
	int fd = -1;
	char byte = 0;
	iovec vector = { &byte, 1 };
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = {};
	msghdr message = {};

	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1 || byte != 'y')
		return -1;
	if (const cmsghdr *head = CMSG_FIRSTHDR(&message))
		std::memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

/* Reads all of it, with a minute's patience. */
bool receive(int from, void *to, std::size_t size)
{
	char *at = static_cast<char *>(to);

	while (size) {
		pollfd wait = { from, POLLIN, 0 };
		if (poll(&wait, 1, 60000) != 1)
			return false;
		const ssize_t got = read(from, at, size);
		if (got <= 0)
			return false;
		at += got;
		size -= static_cast<std::size_t>(got);
	}
	return true;
}

/* The peer's life in its own process. */
class server
{
public:
	explicit server(const char *node) : client_(node, peer_address)
	{
		const bool user = client_.features() & DRM_OAC_FEATURE_USER_SUBMIT;

		if (client_.create_queue(user ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT) != 0)
			throw std::runtime_error("queue");
		fill_words();
		client_.export_memory(&dma_buf_);
		drm_syncobj_create create = {};
		if (client_.call(DRM_IOCTL_SYNCOBJ_CREATE, &create) == 0)
			syncobj_ = create.handle;
	}

	peer::secrets tell() const
	{
		return { client_.context(),
			 client_.queue(),
			 client_.handle(),
			 syncobj_,
			 client_.mmap_offset(),
			 client_.doorbell_offset(),
			 client_.address(),
			 raw_client::size,
			 dma_buf_,
			 0 };
	}

	std::string check()
	{
		for (std::uint64_t word : words())
			if (word != secret)
				return "memory of the peer has changed";
		client_.write_fill(tail_, tail_, peer_address + 4 * raw_client::page, 64);
		client_.ring_doorbell(++tail_);
		const auto now = client_.wait_for(tail_);
		if (now.state != state_running)
			return "queue of the peer failed with " + std::to_string(now.status);
		if (now.completed != tail_)
			return "queue of the peer stands still";
		return "";
	}

	int dma_buf() const { return dma_buf_; }

	void misbehave()
	{
		std::ranges::fill(client_.ring(), std::byte{ 0xa5 });
		client_.ring_doorbell(tail_ + raw_client::depth);
	}

	void hang()
	{
		for (std::uint32_t i = 0; i < raw_client::depth; i++)
			client_.write_wait(tail_ + i, i, peer_address + 5 * raw_client::page, 1);
		client_.ring_doorbell(tail_ + raw_client::depth);
	}

private:
	/* Behind rings and what check() fills, and the word that hang() waits for. */
	std::span<std::uint64_t> words()
	{
		auto bytes = client_.memory().subspan(6 * raw_client::page);

		return { reinterpret_cast<std::uint64_t *>(bytes.data()), bytes.size() / 8 };
	}

	void fill_words() { std::ranges::fill(words(), secret); }

	raw_client client_;
	std::uint32_t tail_ = 0, syncobj_ = 0;
	int dma_buf_ = -1;
};

} // namespace

peer::peer(const std::string &node)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		throw std::runtime_error("socketpair");
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[1], 0);
	std::string name = node, option = "--peer";
	char program[] = "/proc/self/exe";
	char *arguments[] = { program, option.data(), name.data(), nullptr };
	const int error = posix_spawn(&child_, program, &files, nullptr, arguments, environ);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	end_ = ends[0];
	if (error != 0 || !receive(end_, &secrets_, sizeof(secrets_)))
		throw std::runtime_error("the peer does not start");
}

peer::~peer()
{
	close(end_);
	if (child_ > 0)
		waitpid(child_, nullptr, 0);
}

void peer::ask(char what)
{
	if (send(end_, &what, 1, MSG_NOSIGNAL) != 1)
		throw std::runtime_error("the peer is gone");
}

std::string peer::check()
{
	std::string line;
	char byte = 0;

	ask(ask_check);
	while (receive(end_, &byte, 1) && byte != '\n')
		line += byte;
	return byte == '\n' ? line : "the peer does not answer";
}

int peer::borrow()
{
	ask(ask_borrow);
	return receive_descriptor(end_);
}

void peer::misbehave()
{
	ask(ask_misbehave);
}

void peer::hang()
{
	ask(ask_hang);
}

void peer::kill()
{
	::kill(child_, SIGKILL);
	waitpid(child_, nullptr, 0);
	child_ = -1;
}

int serve_peer(const char *node)
{
	try {
		server serving(node);
		const peer::secrets secrets = serving.tell();
		char what = 0;

		if (write(STDIN_FILENO, &secrets, sizeof(secrets)) != sizeof(secrets))
			return 1;
		while (read(STDIN_FILENO, &what, 1) == 1) {
			if (what == ask_check) {
				const std::string line = serving.check() + '\n';
				if (write(STDIN_FILENO, line.data(), line.size()) < 0)
					return 1;
			} else if (what == ask_borrow) {
				send_descriptor(STDIN_FILENO, serving.dma_buf());
			} else if (what == ask_misbehave) {
				serving.misbehave();
			} else if (what == ask_hang) {
				serving.hang();
			}
		}
		return 0;
	} catch (const std::exception &error) {
		std::cerr << "peer: " << error.what() << std::endl;
		return 1;
	}
}

} // namespace isolation
