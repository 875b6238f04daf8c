// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Finds nodes in sysfs and opens them. drmGetDevices() does not know the accel class, so its
// walk over /sys/class is done here.
#include "node.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <drm.h>

#include "../../src/error.hpp"
#include "ioctl.hpp"

namespace accel::kernel
{

namespace fs = std::filesystem;

namespace
{

constexpr const char *DRIVER_NAME = "oac";
constexpr int DRIVER_MAJOR = 1;
constexpr unsigned DRM_NODE_MAJOR = 226;
constexpr unsigned ACCEL_NODE_MAJOR = 261;

/* The number behind the prefix: "accel3" -> 3. */
bool parse_number(std::string_view name, std::string_view prefix, unsigned *number)
{
	if (!name.starts_with(prefix))
		return false;
	name.remove_prefix(prefix.size());
	auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), *number);
	return error == std::errc() && end == name.data() + name.size();
}

/* The last part of what a link in sysfs points to; empty if it is not there. */
std::string link_name(const fs::path &link)
{
	std::error_code error;
	return fs::read_symlink(link, error).filename().string();
}

std::string device_path(const fs::path &directory, const fs::path &fallback)
{
	constexpr std::string_view key = "DEVNAME=";
	std::ifstream uevent(directory / "uevent");
	std::string line;

	while (std::getline(uevent, line))
		if (line.starts_with(key))
			return "/dev/" + line.substr(key.size());
	return fallback.string();
}

std::string group_name(gid_t group)
{
	std::array<char, 4096> memory;
	struct group entry, *found = nullptr;

	if (getgrgid_r(group, &entry, memory.data(), memory.size(), &found) == 0 && found)
		return found->gr_name;
	return std::to_string(group);
}

[[noreturn]] void throw_no_right(const std::string &path, const struct stat &status)
{
	if (!(status.st_mode & S_IRGRP) || !(status.st_mode & S_IWGRP) || status.st_gid == 0)
		throw failure(EACCES, path + ": no right to open it, and no group has one; install "
					     "the udev rule that gives it to group render");
	std::string group = group_name(status.st_gid);
	throw failure(EACCES, path + ": no right to open it; it is for group " + group +
				      ": add the user to it (usermod -aG " + group +
				      " USER) and log in again");
}

int open_character_device(const std::string &path)
{
	struct stat status;
	if (stat(path.c_str(), &status) != 0) {
		if (errno == EACCES)
			throw failure(EACCES, path + ": no right to look into its directory");
		throw failure(ENODEV, path + ": there is no such node; load the module (modprobe "
					     "oac) and look at dmesg");
	}
	unsigned kind = major(status.st_rdev);
	if (!S_ISCHR(status.st_mode) || (kind != DRM_NODE_MAJOR && kind != ACCEL_NODE_MAJOR))
		throw failure(ENODEV, path + ": this is not an accelerator's node");

	int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	switch (int code = errno) {
	case EACCES:
	case EPERM:
		throw_no_right(path, status);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		throw failure(ENODEV, path + ": its card is gone; look at dmesg");
	default:
		throw failure(code, path + ": open: " + errno_text(code));
	}
}

void check_driver(int fd, const std::string &path)
{
	std::array<char, 16> name{};
	struct drm_version version = {};

	version.name = name.data();
	version.name_len = name.size();
	if (ioctl_call(fd, DRM_IOCTL_VERSION, &version) < 0)
		throw failure(ENODEV, path + ": the driver does not say its name");
	/* The kernel returns the full length, and copies no more than fits. */
	std::string_view driver(name.data(), std::min<std::size_t>(version.name_len, name.size()));
	if (driver != DRIVER_NAME)
		throw failure(ENODEV, path + ": its driver is \"" + std::string(driver) +
					      "\", not oac; name another node");
	if (version.version_major != DRIVER_MAJOR)
		throw failure(EPROTO, path + ": the module speaks version " +
					      std::to_string(version.version_major) +
					      ", the library " + std::to_string(DRIVER_MAJOR) +
					      "; install module and library of one release");
}

} // namespace

std::vector<node> find_nodes(const std::string &root, const char *class_name, const char *prefix)
{
	std::vector<node> nodes;
	std::error_code error;
	fs::path base = fs::path(root) / "class" / class_name;

	for (const fs::directory_entry &entry : fs::directory_iterator(base, error)) {
		const fs::path &path = entry.path();
		std::string name = path.filename().string();
		unsigned number = 0;

		if (!parse_number(name, prefix, &number))
			continue;
		if (link_name(path / "device/driver") != DRIVER_NAME)
			continue;
		fs::path fallback =
			fs::path("/dev") / (*class_name == 'a' ? "accel" : "dri") / name;
		std::string bus = link_name(path / "device/subsystem");
		nodes.push_back({ device_path(path, fallback),
				  bus == "pci" ? link_name(path / "device") : "", number });
	}
	std::ranges::sort(nodes, {}, &node::number);
	return nodes;
}

int open_node(const std::string &path)
{
	int fd = open_character_device(path);
	try {
		check_driver(fd, path);
	} catch (...) {
		::close(fd);
		throw;
	}
	return fd;
}

} // namespace accel::kernel
