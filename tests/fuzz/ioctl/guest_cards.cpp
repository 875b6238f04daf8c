// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "guest_cards.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <health_watch.hpp>
#include <hw/oac_health.h>
#include <objects.hpp>

namespace oac::fuzz
{

namespace
{

using std::chrono::steady_clock;

/* One part in so many of the time, and something to begin with. */
constexpr int share = 6;
constexpr std::chrono::seconds advance{ 3 };
/* Far from all else: what a call writes behind the arena meets nothing for so long. */
constexpr std::uintptr_t arena_at = 1ull << 44;
constexpr std::size_t nothing_behind = 1ull << 36;
constexpr std::uint64_t kernel_address = 0xffff888000000000;
/* Less than the arena has pages: a user's pinned memory meets its limit. */
constexpr rlim_t locked_bytes = 24 * 4096;

void require(bool is_so, const char *what)
{
	if (is_so)
		return;
	std::printf("fuzz_ioctl: %s: %s\n", what, std::strerror(errno));
	std::fflush(stdout);
	std::_Exit(1);
}

[[noreturn]] void found(const std::string &what)
{
	std::printf("fuzz_ioctl: FOUND: %s\n", what.c_str());
	std::fflush(stdout);
	std::abort();
}

std::string read_taint()
{
	std::ifstream file("/proc/sys/kernel/tainted");
	std::string value;

	file >> value;
	return value;
}

drm_oac_info_health read_health(const abi::node &card)
{
	drm_oac_info_health health = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_HEALTH;
	get.stride = sizeof(health);
	get.count = 1;
	get.data = reinterpret_cast<std::uintptr_t>(&health);
	if (const int err = card(get))
		found(std::string("a card does not tell its health: ") + std::strerror(err));
	return health;
}

/* For the kernel to read, whatever call is pointed there. */
const char *read_only(const std::vector<char> &bytes)
{
	void *const base = mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(base != MAP_FAILED, "memory");
	std::memcpy(base, bytes.data(), bytes.size());
	require(mprotect(base, bytes.size(), PROT_READ) == 0, "memory");
	return static_cast<const char *>(base);
}

} // namespace

guest_cards::guest_cards() : paths_(abi::find_nodes())
{
	std::vector<char> image = abi::firmware_image();
	const rlimit locked = { locked_bytes, locked_bytes };

	require(!paths_.empty(), "no oac device node");
	require(!image.empty(), "no firmware image");
	require(setrlimit(RLIMIT_MEMLOCK, &locked) == 0, "RLIMIT_MEMLOCK");
	image_ = read_only(image);
	image_size_ = image.size();
	image[image.size() / 2] ^= 1;
	bad_image_ = read_only(image);
	make_arena();
	for (const std::string &path : paths_) {
		open_.push_back(
			std::make_unique<abi::node>(open(path.c_str(), O_RDWR | O_CLOEXEC)));
		require(open_.back()->fd() >= 0, path.c_str());
		held_.push_back(abi::objects(path));
		require(!held_.back().empty(), "the module's counts in debugfs");
	}
	taint_ = read_taint();
	begin_ = steady_clock::now();
}

/* Memory; a page that is only read; nothing. */
void guest_cards::make_arena()
{
	void *const base = mmap(reinterpret_cast<void *>(arena_at), nothing_behind, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
				-1, 0);

	require(base != MAP_FAILED, "no place for memory");
	arena_ = static_cast<char *>(base);
	require(mprotect(arena_, arena_size, PROT_READ | PROT_WRITE) == 0, "memory");
	require(mprotect(arena_ + arena_size, abi::page, PROT_READ) == 0, "memory");
	for (const std::size_t offset :
	     { std::size_t{ 0 }, abi::page, 8 * abi::page, abi::page + 8, arena_size - abi::page,
	       arena_size - 8, arena_size, arena_size + abi::page - 8, arena_size + abi::page })
		pointers_.push_back(arena() + offset);
	pointers_.insert(pointers_.end(), { 0, abi::page, kernel_address, abi::u64_max - 4095 });
}

std::uint64_t guest_cards::image(bool is_good) const
{
	return reinterpret_cast<std::uintptr_t>(is_good ? image_ : bad_image_);
}

bool guest_cards::may_take_long() const
{
	return spent_ * share <= steady_clock::now() - begin_ + advance;
}

/* What a firmware load has left, which no recovery mends: an image that was refused. */
void guest_cards::mend(const abi::node &card) const
{
	drm_oac_firmware_load load = {};

	load.data = image(true);
	load.size = image_size();
	card(load);
}

void guest_cards::expect_well()
{
	const auto begin = steady_clock::now();

	for (std::size_t i = 0; i < open_.size(); i++) {
		drm_oac_info_health health = {};

		if (!abi::health_watch(paths_[i]).wait_until([&] {
			    health = read_health(*open_[i]);
			    if (health.state == OAC_HEALTH_NEEDS_FIRMWARE)
				    mend(*open_[i]);
			    return health.state == OAC_HEALTH_OK ||
				   health.state == OAC_HEALTH_DEGRADED;
		    }))
			found(paths_[i] + " stays in health " + std::to_string(health.state) +
			      ", reason " + std::to_string(health.reason));
	}
	took(steady_clock::now() - begin);
}

void guest_cards::expect_nothing_held()
{
	for (std::size_t i = 0; i < paths_.size(); i++) {
		for (const auto &[key, count] : abi::objects(paths_[i]))
			if (count != held_[i].at(key))
				found(paths_[i] + " holds " + std::to_string(count) + " " + key +
				      ", before it were " + std::to_string(held_[i].at(key)));
	}
}

void guest_cards::expect_no_complaint() const
{
	const std::string taint = read_taint();

	if (taint != taint_)
		found("the kernel's taint is " + taint + ", it was " + taint_ + ": see its log");
}

} // namespace oac::fuzz
