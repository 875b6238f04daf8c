// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See emulator_process.hpp.
#include "emulator_process.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace api
{

namespace
{

namespace fs = std::filesystem;

/* build/tests/api/test_api -> build/tools/accel-emu */
fs::path program()
{
	std::error_code ignored;
	fs::path build = fs::read_symlink("/proc/self/exe", ignored).parent_path();
	return build.parent_path().parent_path() / "tools" / "accel-emu";
}

/* Until the socket is in its directory, which inotify tells. */
bool wait_for_socket(const std::string &directory, const std::string &socket)
{
	const int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	bool is_there = false;
	if (events >= 0 &&
	    inotify_add_watch(events, directory.c_str(), IN_CREATE | IN_MOVED_TO) >= 0) {
		pollfd fd{ events, POLLIN, 0 };
		while (!(is_there = fs::exists(socket)) && poll(&fd, 1, 10000) > 0) {
			char dropped[4096];
			while (read(events, dropped, sizeof(dropped)) > 0) {}
		}
	}
	if (events >= 0)
		close(events);
	return is_there;
}

} // namespace

emulator_process::emulator_process(const std::vector<std::string> &options)
{
	const fs::path emulator = program();
	if (!fs::is_regular_file(emulator))
		return;
	const std::string name = emulator.string();
	directory_ = (fs::temp_directory_path() / "oac-api-XXXXXX").string();
	if (!mkdtemp(directory_.data()))
		throw std::runtime_error("no directory for a socket");
	std::vector<const char *> line = { name.c_str(),       "serve",	  "--dir",
					   directory_.c_str(), "--cards", "1" };
	for (const std::string &option : options)
		line.push_back(option.c_str());
	line.push_back(nullptr);
	pid_ = fork();
	if (pid_ == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(name.c_str(), const_cast<char *const *>(line.data()));
		_exit(127);
	}
	if (pid_ < 0 || !wait_for_socket(directory_, socket()))
		throw std::runtime_error("accel-emu does not start");
}

emulator_process::~emulator_process()
{
	std::error_code ignored;
	kill();
	if (!directory_.empty())
		fs::remove_all(directory_, ignored);
}

void emulator_process::kill()
{
	if (pid_ <= 0)
		return;
	::kill(pid_, SIGKILL);
	waitpid(pid_, nullptr, 0);
	pid_ = -1;
}

void emulator_process::halt()
{
	int status = 0;
	if (pid_ <= 0 || ::kill(pid_, SIGSTOP) != 0 || waitpid(pid_, &status, WUNTRACED) != pid_ ||
	    !WIFSTOPPED(status))
		throw std::runtime_error("accel-emu does not stop");
}

void emulator_process::go_on()
{
	if (pid_ > 0)
		::kill(pid_, SIGCONT);
}

} // namespace api
