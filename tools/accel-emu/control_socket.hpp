// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The control sockets of all cards, cardN.ctl beside cardN.sock, on one thread: a request a line, a
// reply a line, as many as a client likes. Who talks nonsense, or too much, is let go.
#pragma once

#include <list>
#include <string>
#include <thread>

#include <vfio_user/unique_fd.hpp>

#include "listener.hpp"
#include "request_lines.hpp"

class control_socket
{
public:
	/* Throws std::system_error. */
	control_socket();
	~control_socket();
	control_socket(const control_socket &) = delete;
	control_socket &operator=(const control_socket &) = delete;

	/* Before start(); answer is called on its thread. Throws listen_error. */
	void add(const std::string &path, answerer answer);
	void start();
	/* Nobody is answered any more when this returns. */
	void stop();

private:
	struct door {
		listener at;
		oac::vfio_user::unique_fd fd;
		answerer answer;
	};
	struct client {
		oac::vfio_user::unique_fd fd;
		const answerer *answer;
		request_lines lines;
	};

	void run() noexcept;
	void look();
	void admit(const door &at);
	bool serve(client &who, short events);
	bool take(client &who);
	bool give(client &who);

	std::list<door> doors_;
	std::list<client> clients_;
	oac::vfio_user::unique_fd stop_event_;
	bool is_stopping_ = false;
	std::thread thread_;
};
