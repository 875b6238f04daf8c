// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See listener.hpp.
#include "listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <vfio_user/vfio_user.h>

using oac::vfio_user::unique_fd;

static constexpr int BACKLOG = 16;

static std::string reason(int error)
{
	return std::generic_category().message(error);
}

listen_directory::listen_directory(const std::string &path)
{
	std::error_code error;
	std::filesystem::create_directories(path, error);
	if (error)
		throw listen_error("cannot make directory " + path + ": " + error.message() +
				   "; choose another with --dir");
	lock_.reset(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!lock_.is_open() || flock(lock_.get(), LOCK_EX))
		throw listen_error("cannot use directory " + path + ": " + reason(errno));
}

static sockaddr_un address_of(const std::string &path)
{
	if (path.size() > VFIO_USER_SOCKET_PATH_MAX)
		throw listen_error("socket path " + path + " has " + std::to_string(path.size()) +
				   " bytes, " + std::to_string(VFIO_USER_SOCKET_PATH_MAX) +
				   " are possible: choose a shorter --dir");
	sockaddr_un address{};
	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
	return address;
}

/* Removes what a server that is no more has left. */
static void remove_stale(const std::string &path, const sockaddr_un &address)
{
	struct stat info;
	if (lstat(path.c_str(), &info)) {
		if (errno == ENOENT)
			return;
		throw listen_error("cannot look at " + path + ": " + reason(errno));
	}
	if (!S_ISSOCK(info.st_mode))
		throw listen_error(path +
				   " exists and is no socket: remove it or choose another --dir");
	const unique_fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	const auto *name = reinterpret_cast<const sockaddr *>(&address);
	const int error = connect(probe.get(), name, sizeof(address)) ? errno : 0;
	if (error == 0 || error == EAGAIN)
		throw listen_error("another server is live on " + path +
				   ": stop it first or choose another --dir");
	if (error != ECONNREFUSED && error != ENOENT)
		throw listen_error("cannot tell whether " + path + " is in use: " + reason(error));
	if (unlink(path.c_str()) && errno != ENOENT)
		throw listen_error("cannot remove the stale socket " + path + ": " + reason(errno));
}

listener::listener(std::string path, mode_t mode) : path_(std::move(path))
{
	const sockaddr_un address = address_of(path_);
	remove_stale(path_, address);
	socket_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!socket_.is_open() ||
	    bind(socket_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)))
		throw listen_error("cannot make socket " + path_ + ": " + reason(errno));
	/* until it listens nobody gets in */
	if ((mode && chmod(path_.c_str(), mode)) || listen(socket_.get(), BACKLOG)) {
		const int error = errno;
		unlink(path_.c_str());
		throw listen_error("cannot listen on " + path_ + ": " + reason(error));
	}
}

listener::listener(listener &&other) noexcept
	: path_(std::exchange(other.path_, {})), socket_(std::move(other.socket_))
{
}

listener::~listener()
{
	if (!path_.empty())
		unlink(path_.c_str());
}
