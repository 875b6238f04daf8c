// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The neighbour as a thread and as a process.
#include "neighbour.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
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

constexpr std::uint64_t still_value = 0x5afe5afe5afe5afe;

class thread_neighbour final : public neighbour
{
public:
	explicit thread_neighbour(accel::device &device)
		: worker_(device), thread_([this] { run(); })
	{
	}

	~thread_neighbour() override
	{
		stop_ = true;
		thread_.join();
	}

	std::string check() override
	{
		std::unique_lock lock(mutex_);
		const std::uint64_t from = rounds_;
		// The round in hand began before the question: the one after it counts.
		more_.wait(lock, [&] { return rounds_ >= from + 2 || !wrong_.empty(); });
		return wrong_;
	}

private:
	void run()
	{
		while (!stop_) {
			std::string wrong = worker_.round();
			std::lock_guard guard(mutex_);
			rounds_++;
			if (wrong_.empty())
				wrong_ = wrong;
			more_.notify_all();
		}
	}

	worker worker_;
	std::mutex mutex_;
	std::condition_variable more_;
	std::uint64_t rounds_ = 0;
	std::string wrong_;
	std::atomic<bool> stop_{ false };
	std::thread thread_;
};

class process_neighbour final : public neighbour
{
public:
	explicit process_neighbour(const std::string &card)
	{
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
			throw std::runtime_error("socketpair");
		posix_spawn_file_actions_t files;
		posix_spawn_file_actions_init(&files);
		posix_spawn_file_actions_adddup2(&files, ends[1], 0);
		posix_spawn_file_actions_adddup2(&files, ends[1], 1);
		std::string name = card, option = "--neighbour";
		char program[] = "/proc/self/exe";
		char *arguments[] = { program, option.data(), name.data(), nullptr };
		int error = posix_spawn(&child_, program, &files, nullptr, arguments, environ);
		posix_spawn_file_actions_destroy(&files);
		close(ends[1]);
		end_ = ends[0];
		if (error != 0)
			throw std::runtime_error("posix_spawn");
	}

	~process_neighbour() override
	{
		shutdown(end_, SHUT_WR);
		int status = 0;
		waitpid(child_, &status, 0);
		close(end_);
		EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
	}

	std::string check() override
	{
		std::string line;
		char byte = '?';
		if (write(end_, &byte, 1) != 1)
			return "the neighbour is gone";
		while (byte != '\n') {
			pollfd wait = { end_, POLLIN, 0 };
			if (poll(&wait, 1, 60000) != 1 || read(end_, &byte, 1) != 1)
				return "the neighbour does not answer";
			line += byte;
		}
		line.pop_back();
		return line;
	}

private:
	int end_ = -1;
	pid_t child_ = -1;
};

} // namespace

worker::worker(accel::device &device)
	: context_(device), memory_(device, context_, 16 * api::page), queue_(context_, 16),
	  still_(memory_.take<std::uint64_t>(4 * api::page / 8)),
	  moving_(memory_.take<std::uint64_t>(4 * api::page / 8))
{
	std::ranges::fill(still_.host, still_value);
}

std::string worker::round()
{
	const std::size_t half = moving_.host.size() / 2, bytes = half * 8;
	const std::uint64_t value = ++count_ * 0x9e3779b97f4a7c15;
	accel::completion done[2];
	int have = 0;

	if (queue_.try_fill(moving_.address, bytes, value, 1) != 0 ||
	    queue_.try_copy(moving_.address + bytes, moving_.address, bytes, 2) != 0 ||
	    queue_.submit() != 0)
		return std::string("submit: ") + accel_error_text();
	while (have < 2) {
		int got = queue_.wait(std::span(done).subspan(static_cast<std::size_t>(have)));
		if (got <= 0)
			return std::string("wait: ") + accel_error_text();
		have += got;
	}
	for (const accel::completion &one : done) {
		if (one.result != 0)
			return std::string("command: ") + accel_code_text(one.code);
	}
	if (!std::ranges::all_of(moving_.host, [&](auto word) { return word == value; }))
		return "a result is wrong";
	if (!std::ranges::all_of(still_.host, [&](auto word) { return word == still_value; }))
		return "memory that nobody was to touch has changed";
	return "";
}

std::unique_ptr<neighbour> make_thread(accel::device &device)
{
	return std::make_unique<thread_neighbour>(device);
}

std::unique_ptr<neighbour> make_process(const std::string &card)
{
	return std::make_unique<process_neighbour>(card);
}

int serve(const char *card)
{
	try {
		accel::device device{ std::string(card) };
		worker work(device);
		std::string wrong;
		for (;;) {
			pollfd question = { STDIN_FILENO, POLLIN, 0 };
			bool asked = poll(&question, 1, 0) == 1;
			char byte = 0;
			if (asked && read(STDIN_FILENO, &byte, 1) != 1)
				return wrong.empty() ? 0 : 1;
			if (std::string now = work.round(); wrong.empty())
				wrong = now;
			if (asked)
				std::cout << wrong << std::endl;
		}
	} catch (const std::exception &error) {
		std::cout << "neighbour: " << error.what() << std::endl;
		return 1;
	}
}

} // namespace isolation
