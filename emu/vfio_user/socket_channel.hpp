// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A channel over a connected Unix stream socket. Reads a header at a time and then its payload, so
// that descriptors stay with their message; sends each message with one sendmsg().
#pragma once

#include "channel.hpp"

namespace oac::vfio_user
{

class socket_channel final : public channel
{
public:
	/* stop_fd: becomes readable when waiting is to end. Borrowed. */
	socket_channel(unique_fd socket, int stop_fd);

	bool send(std::span<const std::byte> bytes, int fd) override;
	std::optional<message> receive(std::chrono::milliseconds timeout) override;
	/* What is there now. */
	std::optional<message> try_receive();

	int fd() const { return socket_.get(); }
	bool is_closed() const { return is_closed_; }
	bool is_midway() const { return assembler_.is_midway(); }

private:
	bool wait(short events, std::chrono::milliseconds timeout);

	unique_fd socket_;
	int stop_fd_;
	assembler assembler_;
	bool is_closed_ = false;
};

} // namespace oac::vfio_user
