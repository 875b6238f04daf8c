// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See irq_table.hpp.
#include "irq_table.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace oac::vfio_user
{

static bool is_eventfd(int fd)
{
	char path[32];
	char target[32] = {};
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "anon_inode:[eventfd]") == 0;
}

int irq_table::connect(unsigned vector, unique_fd &fd)
{
	if (!is_eventfd(fd.get()))
		return -EINVAL;
	fds_[vector] = std::move(fd);
	return 0;
}

void irq_table::clear()
{
	for (auto &fd : fds_)
		fd.reset();
}

void irq_table::trigger(unsigned vector) const
{
	if (vector < fds_.size() && fds_[vector].is_open())
		eventfd_write(fds_[vector].get(), 1);
}

} // namespace oac::vfio_user
