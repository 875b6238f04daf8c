// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The far end of a vfio-user connection, played by the test on a thread of its own: it takes
// commands one by one and answers as the script says, rightly or wrongly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include <vfio_user/vfio_user.h>

#include "unique_fd.hpp"

class scripted_peer
{
public:
	struct command {
		vfio_user_header header{};	/* all zero: the connection was closed */
		std::vector<std::byte> payload;
		std::vector<accel::unique_fd> fds;
		bool is_there() const { return header.size > 0; }
	};
	using script = std::function<void(scripted_peer &)>;

	explicit scripted_peer(script play);
	~scripted_peer();
	/* The client's end; once. */
	accel::unique_fd take_client();

	/* For the script. */
	command receive();
	void reply(const command &to, std::span<const std::byte> payload, int fd = -1);
	void reply_error(const command &to, std::uint32_t error, std::string_view text = {});
	void send(const vfio_user_header &header, std::span<const std::byte> payload, int fd = -1);
	void hang_up();
	/* Until the client closes. */
	void wait_for_end();

private:
	accel::unique_fd client_;
	accel::unique_fd ours_;
	std::thread thread_;
};

template <typename Part>
std::span<const std::byte> bytes_of(const Part &part)
{
	return std::as_bytes(std::span(&part, 1));
}
