// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "prime.hpp"

#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace oac::abi
{

static bool is_driver(int fd, const char *driver)
{
	char name[16] = {};
	drm_version version = {};

	version.name = name;
	version.name_len = sizeof(name) - 1;
	return ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && std::strcmp(name, driver) == 0;
}

int open_driver(const char *driver)
{
	std::error_code error;

	for (const auto &entry : std::filesystem::directory_iterator("/dev/dri", error)) {
		if (!entry.is_character_file())
			continue;
		const int fd = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);

		if (fd >= 0 && is_driver(fd, driver))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

int prime_test::export_fd(const node &on, std::uint32_t handle, int err) const
{
	drm_prime_handle arg = {};

	arg.handle = handle;
	arg.flags = DRM_CLOEXEC | DRM_RDWR;
	arg.fd = -1;
	EXPECT_EQ(on.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg), err);
	return arg.fd;
}

std::uint32_t prime_test::import_fd(const node &on, int fd, int err) const
{
	drm_prime_handle arg = {};

	arg.fd = fd;
	EXPECT_EQ(on.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg), err);
	return arg.handle;
}

void prime_test::close_handle(const node &on, std::uint32_t handle) const
{
	drm_gem_close arg = {};

	arg.handle = handle;
	EXPECT_EQ(on(arg), 0);
}

std::string prime_test::second_path()
{
	const auto nodes = find_nodes();

	return nodes.size() < 2 ? std::string() : nodes.back();
}

int prime_test::open_second()
{
	const std::string path = second_path();

	return path.empty() ? -1 : ::open(path.c_str(), O_RDWR | O_CLOEXEC);
}

} // namespace oac::abi
