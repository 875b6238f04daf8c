// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "crowd.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm/oac_accel.h>

#include "../abi/device.hpp"
#include "system.hpp"

namespace stress
{

crowd::crowd(std::vector<std::string> nodes, unsigned size, bool may_lose_card)
	: what_{ std::move(nodes), 0, -1, -1, may_lose_card, nullptr, -1 }, random_(seed())
{
	int ends[2];
	void *shared = mmap(nullptr, sizeof(tally), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0)
		throw std::system_error(errno, std::generic_category(), "crowd");
	done_ = what_.done = new (shared) tally{};
	what_.to_others = ends[0];
	what_.from_others = ends[1];
	what_.commands_done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (what_.commands_done < 0)
		throw std::system_error(errno, std::generic_category(), "eventfd");
	for (unsigned i = 0; i < size; i++)
		workers_.push_back(start());
}

crowd::~crowd()
{
	end();
	close(what_.commands_done);
	munmap(done_, sizeof(*done_));
}

pid_t crowd::start()
{
	what_.seed = static_cast<std::uint32_t>(random_());
	const pid_t pid = fork();

	if (pid < 0)
		throw std::system_error(errno, std::generic_category(), "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(what_);
	}
	return pid;
}

std::string crowd::kill_one(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return "";
	return "a worker ended with status " + std::to_string(status);
}

std::string crowd::replace_one()
{
	pid_t &pid = workers_[random_() % workers_.size()];
	const std::string wrong = kill_one(pid);

	pid = start();
	return wrong;
}

std::string crowd::complaint()
{
	for (pid_t &pid : workers_) {
		int status = 0;

		if (waitpid(pid, &status, WNOHANG) != pid)
			continue;
		pid = start();
		return "a worker ended by itself with status " + std::to_string(status);
	}
	return "";
}

std::string crowd::end()
{
	std::string wrong;

	for (pid_t pid : workers_) {
		const std::string one = kill_one(pid);

		if (!one.empty())
			wrong = one;
	}
	workers_.clear();
	/* Descriptors on their way between workers hold buffers, too. */
	for (int *fd : { &what_.to_others, &what_.from_others }) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	return wrong;
}

bool crowd::wait_for_commands(unsigned count)
{
	using std::chrono::milliseconds;
	const auto end =
		std::chrono::steady_clock::now() + std::chrono::minutes(1) * oac::abi::slowness();
	const std::uint64_t goal = done_->commands + count;

	while (done_->commands < goal) {
		const auto left =
			std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
		pollfd poll_for = { what_.commands_done, POLLIN, 0 };
		eventfd_t signals = 0;

		if (left <= left.zero() || poll(&poll_for, 1, static_cast<int>(left.count())) != 1)
			return false;
		eventfd_read(what_.commands_done, &signals);
	}
	return true;
}

std::string crowd::undone(std::uint64_t features) const
{
	const struct {
		const char *name;
		std::uint64_t count, needs;
	} all[] = {
		{ "commands", done_->commands, 0 },
		{ "waits", done_->waits, 0 },
		{ "eventfds", done_->eventfds, 0 },
		{ "local memory", done_->local, DRM_OAC_FEATURE_LOCAL_MEMORY },
		{ "userptr", done_->userptr, DRM_OAC_FEATURE_USERPTR },
		{ "exports", done_->exports, DRM_OAC_FEATURE_DMABUF },
		{ "imports", done_->imports, DRM_OAC_FEATURE_DMABUF },
		{ "fences", done_->fences, DRM_OAC_FEATURE_SYNC },
		{ "stores", done_->stores, DRM_OAC_FEATURE_SYNC },
	};
	std::string missing;

	for (const auto &one : all) {
		if (!one.count && (features & one.needs) == one.needs)
			missing += std::string(missing.empty() ? "" : ", ") + one.name;
	}
	return missing;
}

} // namespace stress
