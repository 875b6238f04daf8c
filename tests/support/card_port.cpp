// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See card_port.hpp. In a process the emulator is the one that libaccel has loaded already.
#include "card_port.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <accel/accel_emu.h>

namespace support
{

namespace
{

constexpr int PATIENCE_MS = 60000;
constexpr std::size_t REPLY_MAX = 1 << 20;

class file
{
public:
	explicit file(int fd) : fd_(fd) {}
	file(const file &) = delete;
	file &operator=(const file &) = delete;
	~file()
	{
		if (fd_ >= 0)
			close(fd_);
	}
	int fd() const { return fd_; }

private:
	int fd_;
};

/* In one write: others write whole lines to a serial port, too. Then the line that comes back. */
std::string exchange(int fd, const std::string &line)
{
	std::string reply;
	char part[4096];

	if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
		return {};
	while (reply.find('\n') == reply.npos) {
		pollfd poll_for = { fd, POLLIN, 0 };
		const ssize_t got = poll(&poll_for, 1, PATIENCE_MS) == 1 ?
					    read(fd, part, sizeof(part)) :
					    0;
		if (got <= 0)
			return {};
		reply.append(part, static_cast<std::size_t>(got));
	}
	return reply.substr(0, reply.find('\n'));
}

std::string first_line(const std::filesystem::path &path)
{
	std::ifstream in(path);
	std::string line;
	std::getline(in, line);
	return line;
}

std::string ask_port(const std::string &line)
{
	const char *const port = std::getenv("OAC_TEST_CTL");
	const file opened(port ? open(port, O_RDWR | O_CLOEXEC | O_NOCTTY) : -1);

	return exchange(opened.fd(), line + '\n');
}

template <typename Call>
Call emulator_call(const char *name)
{
	void *library = dlopen(ACCEL_EMU_LIBRARY, RTLD_NOW | RTLD_NOLOAD);

	return library ? reinterpret_cast<Call>(dlsym(library, name)) : nullptr;
}

} // namespace

/* By PCI address, whoever drives them and whatever order their nodes came in. */
std::size_t card_number(const std::string &address)
{
	namespace fs = std::filesystem;
	std::vector<std::string> all;
	std::error_code error;

	for (const auto &one : fs::directory_iterator("/sys/bus/pci/devices", error)) {
		if (first_line(one.path() / "vendor") == "0x1234" &&
		    first_line(one.path() / "device") == "0x0ac1")
			all.push_back(one.path().filename());
	}
	std::sort(all.begin(), all.end());
	return static_cast<std::size_t>(std::find(all.begin(), all.end(), address) - all.begin());
}

std::string ask_monitor(const std::string &line)
{
	return ask_port("# hmp " + line);
}

card_port::card_port(std::string card) : at_(std::move(card))
{
	constexpr std::string_view in_process = "emu:", behind = "socket:", served = ".sock";

	if (at_.starts_with(in_process)) {
		by_ = way::in_process;
		index_ = static_cast<unsigned>(std::stoul(at_.substr(in_process.size())));
	} else if (at_.starts_with(behind) && at_.ends_with(served)) {
		by_ = way::socket;
		at_ = at_.substr(behind.size(), at_.size() - behind.size() - served.size()) + ".ctl";
	} else if (std::getenv("OAC_TEST_CTL")) {
		by_ = way::serial;
	}
}

bool card_port::is_there() const
{
	switch (by_) {
	case way::in_process:
		return emulator_call<decltype(&accel_emu_card_find)>("accel_emu_card_find");
	case way::socket:
		return std::filesystem::exists(at_);
	default:
		return by_ == way::serial;
	}
}

std::string card_port::ask(const std::string &request) const
{
	switch (by_) {
	case way::in_process:
		return ask_in_process(request);
	case way::socket:
		return ask_socket(request);
	case way::serial:
		return ask_serial(request);
	default:
		return {};
	}
}

std::string card_port::ask_in_process(const std::string &request) const
{
	const auto find = emulator_call<decltype(&accel_emu_card_find)>("accel_emu_card_find");
	const auto send =
		emulator_call<decltype(&accel_emu_card_control)>("accel_emu_card_control");
	std::vector<char> reply(REPLY_MAX);

	if (!find || !send || !find(index_) ||
	    send(find(index_), request.c_str(), reply.data(), reply.size()) <= 0)
		return {};
	return reply.data();
}

std::string card_port::ask_socket(const std::string &request) const
{
	const file door(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	sockaddr_un address{};

	address.sun_family = AF_UNIX;
	if (at_.size() >= sizeof(address.sun_path))
		return {};
	std::memcpy(address.sun_path, at_.c_str(), at_.size() + 1);
	if (connect(door.fd(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)))
		return {};
	return exchange(door.fd(), request + '\n');
}

std::string card_port::ask_serial(const std::string &request) const
{
	return ask_port("# ctl card" + std::to_string(card_number(at_)) + ' ' + request);
}

unsigned card_port::inject(const std::string &what, std::string *reply) const
{
	const std::string said = ask("{\"request\":\"inject\"," + what + "}");

	if (reply)
		*reply = said;
	return static_cast<unsigned>(number_after(said, "\"id\":"));
}

unsigned long long number_after(const std::string &text, const std::string &word,
				unsigned long long otherwise)
{
	const auto at = text.find(word);
	unsigned long long number = otherwise;

	if (at != text.npos)
		std::from_chars(text.data() + at + word.size(), text.data() + text.size(), number);
	return number;
}

} // namespace support
