// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One connection to a vfio-user server, client side: request and reply with ids and a deadline,
// posted writes, descriptors. Knows the header of vfio_user.h and no device. Everything that comes
// in is checked; what breaks the protocol, a peer that dies and one that does not answer in time
// all end the connection for good (errors ENODEV from then on).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <vfio_user/vfio_user.h>

#include "deadline_mutex.hpp"
#include "error.hpp"
#include "fork.hpp"
#include "unique_fd.hpp"

namespace accel::direct
{

/* The server said no; holder: the process that has the card, where it told, else 0. */
class refusal : public failure
{
public:
	refusal(int code, std::string text, std::int32_t holder)
		: failure(code, std::move(text)), holder_(holder)
	{
	}
	std::int32_t holder() const noexcept { return holder_; }

private:
	std::int32_t holder_;
};

class vfio_user_client final : public fork_member
{
public:
	struct reply {
		std::vector<std::byte> payload;
		std::vector<unique_fd> fds;
	};

	/* socket: connected; name: of the card, for texts; timeout_ns: of each request. */
	vfio_user_client(unique_fd socket, std::string name, std::int64_t timeout_ns);

	/*
	 * Sends a command (fixed part, data, descriptors) and waits for the reply, whose payload
	 * must have at least reply_min bytes. One at a time; others wait. Throws ENODEV, ETIMEDOUT
	 * (and the connection is over, unless it was only the caller's patience), or a refusal with
	 * what an error reply carries.
	 */
	reply request(std::uint16_t command, std::span<const std::byte> fixed,
		      std::span<const std::byte> data, std::span<const int> fds,
		      std::size_t reply_min);
	/* Sends a command that has no reply. 0 or -ENODEV. */
	int post(std::uint16_t command, std::span<const std::byte> payload) noexcept;

	bool is_dead() const noexcept { return is_dead_.load(); }
	void die() noexcept;
	/* No shutdown(): the connection is the parent's. */
	void abandon() noexcept override { close(socket_.get()); }
	/* Polls POLLHUP once dead; nothing may be read from it. */
	int fd() const noexcept { return socket_.get(); }

private:
	struct incoming {
		vfio_user_header header;
		reply body;
	};

	int send(const vfio_user_header &header, std::span<const std::byte> fixed,
		 std::span<const std::byte> data, std::span<const int> fds,
		 std::int64_t deadline) noexcept;
	bool wait_for(short events, std::int64_t deadline) noexcept;
	incoming receive(std::int64_t deadline);
	void receive_bytes(std::span<std::byte> to, std::vector<unique_fd> *fds,
			   std::int64_t deadline);
	void refuse_command(const vfio_user_header &header, std::int64_t deadline);
	void check_reply(const incoming &got, const vfio_user_header &asked, std::size_t reply_min);
	std::optional<incoming> receive_reply(std::int64_t deadline);
	void collect_left(std::int64_t deadline);
	[[noreturn]] void too_late() const;
	[[noreturn]] void broken(int code, const std::string &what);

	unique_fd socket_;
	std::string name_;
	std::int64_t timeout_ns_;
	std::atomic<bool> is_dead_{ false };
	deadline_mutex request_mutex_;	/* one request at a time; taken before send_mutex_ */
	std::mutex send_mutex_;		/* a message goes out whole */
	std::uint16_t next_id_ = 1;	/* under request_mutex_, as is: */
	std::optional<std::uint16_t> left_;	/* a reply that nobody waits for any more */
	fork_entry fork_entry_{ *this };
};

} // namespace accel::direct
