// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See emulator_process.hpp.
#include "emulator_process.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
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

/* Until it says that it takes clients: the socket is there before. */
bool wait_until_ready(int output)
{
	std::string said;
	pollfd fd{ output, POLLIN, 0 };
	while (said.find("ready") == said.npos) {
		char part[256];
		const ssize_t got = poll(&fd, 1, 30000) > 0 ? read(output, part, sizeof(part)) : 0;
		if (got <= 0)
			return false;
		said.append(part, static_cast<std::size_t>(got));
	}
	return true;
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
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		throw std::runtime_error("no pipe for accel-emu");
	pid_ = fork();
	if (pid_ == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		execv(name.c_str(), const_cast<char *const *>(line.data()));
		_exit(127);
	}
	close(ends[1]);
	output_ = ends[0];
	if (pid_ < 0 || !wait_until_ready(output_))
		throw std::runtime_error("accel-emu does not start");
}

emulator_process::~emulator_process()
{
	std::error_code ignored;
	kill();
	if (output_ >= 0)
		close(output_);
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
