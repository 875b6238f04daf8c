// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The listening socket of a card, and the clients that came while it was taken: each is told EBUSY
// in answer to its VERSION, and let go. One card serves one client. The answer also says which
// process that is, as {"holder": PID} behind the header.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <vector>

#include "log.hpp"
#include "socket_channel.hpp"

namespace oac::vfio_user
{

class lobby
{
public:
	/* listener: not open = nobody will come. stop_fd is borrowed. */
	lobby(unique_fd listener, int stop_fd) : listener_(std::move(listener)), stop_fd_(stop_fd)
	{
	}

	/* Appends what to wait for. */
	void watch(std::vector<pollfd> &fds) const;
	/* The next client; not open if there is none. */
	unique_fd admit(log &lines);
	/* Takes a client that cannot be served. */
	void refuse(unique_fd client);
	/* Goes on with the refused ones; holder: the process that has the card, 0 = not known. */
	void attend(log &lines, pid_t holder);
	bool has_waiting() const { return !refused_.empty(); }

private:
	using clock = std::chrono::steady_clock;
	struct visitor {
		std::unique_ptr<socket_channel> peer;
		clock::time_point until;
	};
	bool is_done_with(visitor &v, log &lines, pid_t holder) const;

	unique_fd listener_;
	int stop_fd_;
	std::vector<visitor> refused_;
	clock::time_point closed_until_{};	/* out of descriptors: no use in asking again now */
};

} // namespace oac::vfio_user
