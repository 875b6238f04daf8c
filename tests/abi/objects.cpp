// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "objects.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace oac::abi
{

std::string pci_address(const std::string &node)
{
	struct stat info = {};

	if (stat(node.c_str(), &info))
		return {};
	const std::string number =
		std::to_string(major(info.st_rdev)) + ':' + std::to_string(minor(info.st_rdev));
	return std::filesystem::canonical("/sys/dev/char/" + number + "/device").filename();
}

std::map<std::string, long> objects(const std::string &node)
{
	std::ifstream file("/sys/kernel/debug/oac/" + pci_address(node) + "/objects");
	std::map<std::string, long> counts;
	std::string key;
	long count = 0;

	while (file >> key >> count)
		counts[key] = count;
	return counts;
}

} // namespace oac::abi
