// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "uevents.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

namespace oac::abi
{

namespace
{

constexpr int patience_ms = 20000;
constexpr unsigned kernels_own = 1;	/* multicast group */

std::vector<std::string> split(const char *text, std::size_t size)
{
	std::vector<std::string> words;

	for (const char *at = text; at < text + size; at += words.back().size() + 1)
		words.emplace_back(at);
	return words;
}

} // namespace

uevent_reader::uevent_reader()
	: fd_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT))
{
	sockaddr_nl address = {};

	address.nl_family = AF_NETLINK;
	address.nl_groups = kernels_own;
	EXPECT_EQ(bind(fd_.fd(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
}

void uevent_reader::read_until_all(const std::vector<std::string> &words) const
{
	std::string seen;
	char text[4097] = {};

	for (;;) {
		pollfd poll_for = { fd_.fd(), POLLIN, 0 };

		if (poll(&poll_for, 1, patience_ms * static_cast<int>(slowness())) != 1) {
			ADD_FAILURE() << "no uevent with " << words.front() << "; seen:" << seen;
			return;
		}
		const ssize_t got = recv(fd_.fd(), text, sizeof(text) - 1, 0);
		if (got <= 0) {
			ADD_FAILURE() << "uevents: " << std::strerror(errno);
			return;
		}
		const auto all = split(text, static_cast<std::size_t>(got));
		if (std::all_of(words.begin(), words.end(), [&](const auto &word) {
			    return std::find(all.begin(), all.end(), word) != all.end();
		    }))
			return;
		for (const auto &word : all)
			seen += ' ' + word;
		seen += ';';
	}
}

bool uevent_reader::read_next(std::chrono::steady_clock::time_point end) const
{
	using std::chrono::milliseconds;
	const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
	pollfd poll_for = { fd_.fd(), POLLIN, 0 };
	char text[4096];

	if (left <= left.zero() || poll(&poll_for, 1, static_cast<int>(left.count())) != 1)
		return false;
	return recv(fd_.fd(), text, sizeof(text), 0) > 0 || errno == ENOBUFS;
}

} // namespace oac::abi
