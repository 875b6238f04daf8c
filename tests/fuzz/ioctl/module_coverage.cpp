// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "module_coverage.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

namespace oac::fuzz
{

namespace
{

constexpr std::size_t most_places = 1 << 13;
constexpr std::size_t trace_words = 1 << 16;
/* Where the kernel is linked to run: x86-64. */
constexpr std::uint64_t kernel_text = 0xffffffff81000000;
constexpr int skipped = 77;

/* libFuzzer takes each byte here for one of its own counters, and zeroes them before each run. */
__attribute__((section("__libfuzzer_extra_counters"), used)) std::uint8_t counters[most_places];

[[noreturn]] void end(int status, const char *why)
{
	std::printf("fuzz_ioctl: %s\n", why);
	std::fflush(stdout);
	std::_Exit(status);
}

} // namespace

module_coverage::module_coverage()
{
	open_trace();
	read_symbols();
	if (names_.empty())
		end(1, "no functions of the module in /proc/kallsyms: is it loaded, are you root?");
}

void module_coverage::open_trace()
{
	fd_ = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd_ < 0)
		end(skipped, "this kernel has no KCOV (/sys/kernel/debug/kcov)");
	if (ioctl(fd_, KCOV_INIT_TRACE, trace_words))
		end(1, "KCOV takes no buffer");
	void *const base = mmap(nullptr, trace_words * sizeof(*trace_), PROT_READ | PROT_WRITE,
				MAP_SHARED, fd_, 0);
	if (base == MAP_FAILED)
		end(1, "KCOV's buffer cannot be mapped");
	trace_ = static_cast<std::uint64_t *>(base);
}

/* Lines of /proc/kallsyms: address, type, name, and [module]. */
void module_coverage::read_symbols()
{
	std::ifstream file("/proc/kallsyms");
	std::string line;

	while (std::getline(file, line)) {
		std::istringstream words(line);
		std::uint64_t address = 0;
		std::string type, name, module;

		words >> std::hex >> address >> type >> name >> module;
		if (name == "_text")
			slide_ = address - kernel_text;
		if (module == "[oac]" && (type == "t" || type == "T") && address)
			names_[address] = name;
	}
	/* The last one's end is not told: a page is more than any of them has. */
	if (!names_.empty())
		end_ = names_.rbegin()->first + 4096;
}

const module_coverage::place *module_coverage::find(std::uint64_t pc)
{
	const auto known = places_.find(pc);

	if (known != places_.end())
		return &known->second;
	const std::uint64_t address = pc + slide_;
	auto next = names_.upper_bound(address);
	if (next == names_.begin() || address >= end_)
		return nullptr;
	if (places_.size() == most_places)
		end(1, "the module has more places than there are counters: see most_places");
	return &places_.emplace(pc, place{ places_.size(), std::prev(next)->first }).first->second;
}

void module_coverage::start()
{
	if (ioctl(fd_, KCOV_ENABLE, KCOV_TRACE_PC))
		end(1, "KCOV does not begin");
	__atomic_store_n(&trace_[0], 0, __ATOMIC_RELAXED);
}

void module_coverage::stop()
{
	const std::uint64_t count = __atomic_load_n(&trace_[0], __ATOMIC_RELAXED);

	if (ioctl(fd_, KCOV_DISABLE, 0))
		end(1, "KCOV does not end");
	for (std::uint64_t i = 1; i <= count && i < trace_words; i++) {
		const place *const at = find(trace_[i]);

		if (at && counters[at->counter] < UINT8_MAX)
			counters[at->counter]++;
	}
}

std::vector<std::string> module_coverage::not_reached(const std::string &beginning) const
{
	std::set<std::uint64_t> reached;
	std::vector<std::string> names;

	for (const auto &[pc, at] : places_)
		reached.insert(at.function);
	for (const auto &[address, name] : names_)
		if (name.rfind(beginning, 0) == 0 && name.find('.') == std::string::npos &&
		    !reached.count(address))
			names.push_back(name);
	return names;
}

std::size_t module_coverage::functions_reached() const
{
	std::set<std::uint64_t> reached;

	for (const auto &[pc, at] : places_)
		reached.insert(at.function);
	return reached.size();
}

} // namespace oac::fuzz
