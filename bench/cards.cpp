// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See cards.hpp.
#include "cards.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.hpp"

namespace bench
{

namespace
{

constexpr int READY_MS = 30'000;

std::string server_program = ACCEL_EMU_PROGRAM;
std::string chosen;

template <typename Function>
Function emulator_function(const char *name)
{
	/* libaccel has loaded it already: this finds the very same one. */
	void *library = dlopen(ACCEL_EMU_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
	if (!library)
		throw std::runtime_error(ACCEL_EMU_LIBRARY " is not loaded: open an emulated card "
							   "first");
	void *symbol = dlsym(library, name);
	dlclose(library);
	if (!symbol)
		throw std::runtime_error(ACCEL_EMU_LIBRARY " has no " + std::string(name));
	return reinterpret_cast<Function>(symbol);
}

} // namespace

int check(int result)
{
	if (result < 0)
		throw std::runtime_error(std::string(strerror(-result)) + ": " +
					 accel_error_text());
	return result;
}

card::card(const std::string &name)
{
	accel_device *device;
	check(accel_device_open(name.c_str(), &device));
	device_.reset(device);
	accel_context *context;
	check(accel_context_create(device, &context));
	context_.reset(context);
}

queue_ptr card::make_queue(unsigned flags, unsigned depth) const
{
	accel_queue_options options{};
	options.depth = depth;
	options.flags = flags;
	accel_queue *queue;
	check(accel_queue_create_with(context_.get(), &options, &queue));
	return queue_ptr(queue);
}

mapped card::make_buffer(std::size_t size, bool is_local) const
{
	mapped made;
	accel_buffer *buffer;
	check((is_local ? accel_buffer_alloc_local : accel_buffer_alloc)(device_.get(), size,
									 &buffer));
	made.buffer.reset(buffer);
	std::memset(accel_buffer_host(buffer), 1, size);
	check(accel_buffer_map(context_.get(), buffer, 0, 0, ACCEL_MAP_READ | ACCEL_MAP_WRITE,
			       &made.address));
	return made;
}

std::string card_in_process(unsigned index)
{
	return "emu:" + std::to_string(index);
}

void pin_cards_in_process(unsigned whose)
{
	pin_threads("oac-card", whose);
}

std::string chosen_card()
{
	return chosen.empty() ? card_in_process() : chosen;
}

void choose_card(const std::string &name)
{
	chosen = name;
}

void control_card(unsigned index, const std::string &request)
{
	const auto find = emulator_function<decltype(&accel_emu_card_find)>("accel_emu_card_find");
	const auto send =
		emulator_function<decltype(&accel_emu_card_control)>("accel_emu_card_control");
	char reply[4096] = "";
	accel_emu_card *const card = find(index);
	if (!card || send(card, request.c_str(), reply, sizeof(reply)) < 0 ||
	    !std::strstr(reply, "\"ok\":true"))
		throw std::runtime_error("emulated card " + std::to_string(index) + ": " + request +
					 " gives " + reply);
}

inline_card::inline_card(unsigned index)
	: card_(emulator_function<decltype(&accel_emu_card_find)>("accel_emu_card_find")(index)),
	  step_(emulator_function<decltype(&accel_emu_card_step)>("accel_emu_card_step"))
{
	if (!card_)
		throw std::runtime_error("emulated card " + std::to_string(index) +
					 " is not running in this process");
	const auto take = emulator_function<decltype(&accel_emu_card_take)>("accel_emu_card_take");
	if (const int result = take(card_); result != 0)
		throw std::runtime_error("emulated card " + std::to_string(index) +
					 " cannot be taken: " + strerror(-result));
}

inline_card::~inline_card()
{
	emulator_function<decltype(&accel_emu_card_give)>("accel_emu_card_give")(card_);
}

void choose_server(const std::string &program)
{
	server_program = program;
}

card_server::card_server(unsigned cards)
{
	int ends[2];
	directory_ = std::filesystem::temp_directory_path() / "accel-bench-XXXXXX";
	if (!mkdtemp(directory_.data()) || pipe2(ends, O_CLOEXEC) != 0)
		throw std::runtime_error(std::string("accel-emu: ") + strerror(errno));
	output_ = ends[0];
	const std::string count = std::to_string(cards);
	process_ = fork();
	if (process_ == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		execl(server_program.c_str(), server_program.c_str(), "serve", "--dir",
		      directory_.c_str(), "--cards", count.c_str(), static_cast<char *>(nullptr));
		_exit(127);
	}
	close(ends[1]);
	try {
		wait_until_ready();
	} catch (...) {
		end();
		throw;
	}
	pin_process(process_, CARD);
	count_as_ours(process_);
}

card_server::~card_server()
{
	count_no_longer(process_);
	end();
}

void card_server::wait_until_ready()
{
	std::string said;
	char piece[512];
	pollfd fd{ output_, POLLIN, 0 };
	while (said.find("ready") == std::string::npos) {
		ssize_t count = 0;
		if (poll(&fd, 1, READY_MS) > 0)
			count = read(output_, piece, sizeof(piece));
		if (count <= 0)
			throw std::runtime_error(server_program + " did not get ready: " + said);
		said.append(piece, static_cast<std::size_t>(count));
	}
}

void card_server::end()
{
	if (process_ > 0) {
		kill(process_, SIGTERM);
		waitpid(process_, nullptr, 0);
	}
	close(output_);
	std::error_code ignored;
	std::filesystem::remove_all(directory_, ignored);
}

std::string card_server::card(unsigned index) const
{
	return "socket:" + directory_ + "/card" + std::to_string(index) + ".sock";
}

} // namespace bench
