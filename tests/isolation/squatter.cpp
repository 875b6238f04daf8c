// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Local memory marked and looked at, and the process that does the marking.
#include "squatter.hpp"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <stdexcept>

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace isolation
{

namespace
{

constexpr std::uint64_t mark_value = 0x5c0bb1e5c0bb1e5c;

std::string failed(const accel::completion &done)
{
	return done.result ? std::string("the card: ") + accel_code_text(done.code) : "";
}

} // namespace

std::uint64_t local_area::size_for(accel::device &device)
{
	const auto free = device.number(ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES).value_or(0);
	const std::uint64_t size = free / 8 * 5 / piece * piece;

	if (!size)
		throw std::runtime_error("no local memory");
	return size;
}

local_area::local_area(accel::device &device)
	: context_(device), size_(size_for(device)), host_(device, context_, piece),
	  copy_(host_.take<std::uint64_t>(piece / 8)), queue_(context_, 16)
{
	accel_buffer *raw = nullptr;

	accel::check(accel_buffer_alloc_local(device.get(), size_, &raw));
	buffer_.reset(raw);
	accel::check(accel_buffer_map(context_.get(), raw, 0, 0, ACCEL_MAP_READ | ACCEL_MAP_WRITE,
				      &address_));
}

local_area::~local_area()
{
	accel_buffer_unmap(context_.get(), address_);
}

std::string local_area::mark()
{
	return failed(api::run(queue_, [&](std::uint32_t tag) {
		return queue_.try_fill(address_, size_, mark_value, tag);
	}));
}

std::string local_area::find_anything()
{
	for (std::uint64_t at = 0; at < size_; at += piece) {
		std::ranges::fill(copy_.host, ~std::uint64_t{ 0 });
		const std::string wrong = failed(api::run(queue_, [&](std::uint32_t tag) {
			return queue_.try_copy(copy_.address, address_ + at, piece, tag);
		}));
		if (!wrong.empty())
			return wrong;
		const auto found = std::ranges::find_if(copy_.host, [](auto word) { return word; });
		if (found != copy_.host.end()) {
			const auto word = static_cast<std::uint64_t>(found - copy_.host.begin());
			return (*found == mark_value ? "what somebody else wrote at " :
						       "not zero at ") +
			       std::to_string(at + word * 8);
		}
	}
	return "";
}

/* ---- The process ------------------------------------------------------------------------------ */

squatter::squatter(const std::string &card)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		throw std::runtime_error("socketpair");
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[1], 0);
	posix_spawn_file_actions_adddup2(&files, ends[1], 1);
	std::string name = card, option = "--squatter";
	char program[] = "/proc/self/exe";
	char *arguments[] = { program, option.data(), name.data(), nullptr };
	const int error = posix_spawn(&child_, program, &files, nullptr, arguments, environ);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	end_ = ends[0];
	if (error != 0)
		throw std::runtime_error("posix_spawn");
	for (char byte = 0; byte != '\n';) {
		pollfd wait = { end_, POLLIN, 0 };
		if (poll(&wait, 1, 120000) != 1 || read(end_, &byte, 1) != 1)
			break;
		if (byte != '\n')
			line_ += byte;
	}
}

squatter::~squatter()
{
	shutdown(end_, SHUT_WR);
	if (child_ > 0)
		waitpid(child_, nullptr, 0);
	close(end_);
}

void squatter::kill()
{
	::kill(child_, SIGKILL);
	waitpid(child_, nullptr, 0);
	child_ = -1;
}

int serve_squatter(const char *card)
{
	char byte = 0;

	try {
		accel::device device{ std::string(card) };
		local_area area(device);
		const std::string wrong = area.mark();
		if (wrong.empty())
			std::cout << "marked " << area.size() << " bytes" << std::endl;
		else
			std::cout << wrong << std::endl;
		while (read(STDIN_FILENO, &byte, 1) == 1)
			;
	} catch (const std::system_error &error) {
		std::cout << "error " << error.code().value() << ": " << error.what() << std::endl;
	} catch (const std::exception &error) {
		std::cout << error.what() << std::endl;
	}
	return 0;
}

} // namespace isolation
