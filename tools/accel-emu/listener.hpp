// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The sockets clients find the cards by: DIR/card0.sock, DIR/card1.sock ... Made here, removed at
// the end; a socket file left behind by a dead server is replaced, a live one is not.
#pragma once

#include <sys/types.h>

#include <stdexcept>
#include <string>

#include <vfio_user/unique_fd.hpp>

/* What the user can mend: the text says how. */
class listen_error : public std::runtime_error
{
public:
	using std::runtime_error::runtime_error;
};

class listener
{
public:
	/* Listens, non-blocking. mode: of the socket file, 0 = as umask has it. Throws listen_error. */
	explicit listener(std::string path, mode_t mode = 0);
	~listener();
	listener(listener &&other) noexcept;
	listener &operator=(listener &&) = delete;

	const std::string &path() const { return path_; }
	oac::vfio_user::unique_fd take() { return std::move(socket_); }

private:
	std::string path_;
	oac::vfio_user::unique_fd socket_;
};

/* Makes the directory if need be and keeps others from setting up in it at the same time. */
class listen_directory
{
public:
	/* Throws listen_error. */
	explicit listen_directory(const std::string &path);

private:
	oac::vfio_user::unique_fd lock_;
};
