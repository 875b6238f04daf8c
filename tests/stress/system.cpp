// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "system.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../abi/device.hpp"
#include "../abi/objects.hpp"

namespace stress
{

std::vector<std::string> nodes()
{
	return oac::abi::find_nodes();
}

std::string address_of(const std::string &node)
{
	return oac::abi::pci_address(node);
}

counts object_counts()
{
	counts all;

	for (const auto &node : nodes()) {
		for (const auto &[kind, count] : oac::abi::objects(node))
			all[address_of(node) + '/' + kind] = count;
	}
	return all;
}

std::string difference(const counts &expected, const counts &found)
{
	std::ostringstream out;

	for (const auto &[kind, count] : found) {
		const auto before = expected.find(kind);

		if (before == expected.end() || before->second != count)
			out << kind << ' '
			    << (before == expected.end() ? "absent" :
							   std::to_string(before->second))
			    << " -> " << count << "; ";
	}
	for (const auto &[kind, count] : expected) {
		if (!found.count(kind))
			out << kind << ' ' << count << " -> absent; ";
	}
	return out.str();
}

memory settled_memory()
{
	std::ofstream("/proc/sys/vm/drop_caches") << "3\n";
	std::ofstream("/proc/sys/vm/compact_memory") << "1\n";
	std::ifstream file("/proc/meminfo");
	std::string key, unit;
	std::int64_t value = 0;
	memory now = {};

	while (file >> key >> value) {
		std::getline(file, unit);
		if (key == "MemAvailable:")
			now.available_kib = value;
		else if (key == "SUnreclaim:")
			now.unreclaimable_kib = value;
	}
	return now;
}

memory wait_for_memory(std::int64_t available_kib)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
	memory now = settled_memory();

	while (now.available_kib < available_kib && std::chrono::steady_clock::now() < end) {
		/* Much is freed behind a grace period, which this call waits for. */
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
		now = settled_memory();
	}
	return now;
}

unsigned seconds()
{
	const char *given = std::getenv("OAC_STRESS_SECONDS");

	return given ? static_cast<unsigned>(std::atoi(given)) : 60;
}

std::uint32_t seed()
{
	const char *given = std::getenv("OAC_STRESS_SEED");

	return given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 0)) : 1;
}

} // namespace stress
