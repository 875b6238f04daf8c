// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "control.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "device.hpp"
#include "objects.hpp"

namespace oac::abi
{

namespace
{

constexpr int patience_ms = 60000;

std::string read_line(int fd)
{
	std::string line;
	char one;

	for (;;) {
		pollfd poll_for = { fd, POLLIN, 0 };

		if (poll(&poll_for, 1, patience_ms) != 1 || read(fd, &one, 1) != 1) {
			ADD_FAILURE() << "no answer from the control socket";
			return line;
		}
		if (one == '\n')
			return line;
		line += one;
	}
}

/* In one write: others write whole lines to this port, too. */
std::string ask(const std::string &line)
{
	const node port(::open(std::getenv("OAC_TEST_CTL"), O_RDWR | O_CLOEXEC | O_NOCTTY));

	EXPECT_GE(port.fd(), 0);
	EXPECT_EQ(write(port.fd(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
	const std::string answer = read_line(port.fd());
	EXPECT_NE(std::min(answer.find("\"ok\":true"), answer.find("\"ok\": true")), answer.npos)
		<< line << answer;
	return answer;
}

} // namespace

/* By PCI address, whatever order their nodes came in. */
std::size_t card_number(const std::string &of)
{
	std::vector<std::string> addresses;
	std::error_code error;

	for (const auto &one :
	     std::filesystem::directory_iterator("/sys/bus/pci/drivers/oac", error)) {
		const std::string name = one.path().filename();

		if (name.find(':') != name.npos)
			addresses.push_back(name);
	}
	std::sort(addresses.begin(), addresses.end());
	const auto at = std::find(addresses.begin(), addresses.end(), pci_address(of));
	EXPECT_NE(at, addresses.end());
	return static_cast<std::size_t>(at - addresses.begin());
}

void monitor(const std::string &line)
{
	ask("# hmp " + line + '\n');
}

bool has_control()
{
	return std::getenv("OAC_TEST_CTL") != nullptr;
}

std::string control_card(std::size_t number, const std::string &request)
{
	return ask("# ctl card" + std::to_string(number) + ' ' + request + '\n');
}

std::string control(const std::string &of, const std::string &request)
{
	return control_card(card_number(of), request);
}

unsigned inject(const std::string &of, const std::string &fault, const std::string &more)
{
	const std::string answer = control(of, R"({"request":"inject","fault":")" + fault + '"' +
						       (more.empty() ? "" : "," + more) + '}');
	const auto at = answer.find("\"id\":");

	return at == answer.npos ?
		       0 :
		       static_cast<unsigned>(std::strtoul(answer.c_str() + at + 5, nullptr, 10));
}

void clear(const std::string &of, unsigned id)
{
	const std::string state = control(of, R"({"request":"state"})");

	if (state.find("\"id\":" + std::to_string(id) + ',') != state.npos ||
	    state.find("\"id\":" + std::to_string(id) + '}') != state.npos)
		control(of, R"({"request":"clear","id":)" + std::to_string(id) + '}');
}

} // namespace oac::abi
