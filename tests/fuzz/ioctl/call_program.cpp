// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "call_program.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/oac_accel.h>

namespace oac::fuzz
{

namespace
{

constexpr unsigned most_steps = 48;
/* No deadline is farther away; the long one is for calls that are rationed. */
constexpr std::uint64_t soon_ns = 2000000;
constexpr std::uint64_t latest_ns = 5000000;
constexpr std::uint64_t long_ns = 20000000000;
/* Buffers between these would keep the guest busy with nothing else. */
constexpr std::uint64_t largest_made = 4ull << 20;
constexpr std::uint64_t smallest_refused = 1ull << 40;

std::uint64_t now_ns()
{
	timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1000000000ull +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

bool is_fd(meaning what)
{
	return what == meaning::eventfd || what == meaning::dmabuf || what == meaning::event_stream;
}

bool is_thing(meaning what)
{
	return is_fd(what) || what == meaning::context || what == meaning::queue ||
	       what == meaning::buffer || what == meaning::syncobj ||
	       what == meaning::buffer_offset || what == meaning::doorbell_offset;
}

/* Ids and fds of 32 bits; an fd that is none is -1 there, too. */
std::uint64_t get(const void *from, const slot &at)
{
	std::uint64_t value = 0;

	std::memcpy(&value, static_cast<const char *>(from) + at.offset,
		    std::min(at.size, sizeof(value)));
	return value;
}

void put(void *to, const slot &at, std::uint64_t value)
{
	std::memcpy(static_cast<char *>(to) + at.offset, &value, std::min(at.size, sizeof(value)));
}

} // namespace

/* ---- Life of a program ------------------------------------------------------------------------ */

call_program::call_program(guest_cards &on, side_thread &beside) : cards_(on), beside_(beside)
{
	/* Whatever is opened from here on is the program's, also what it lost sight of. */
	first_fd_ = 0;
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			first_fd_ = fd + 1;
	open_on(0, O_RDWR);
}

call_program::~call_program()
{
	for (const area &one : areas_)
		munmap(one.base, one.size);
	close_range(static_cast<unsigned>(first_fd_), ~0u, 0);
	if (!has_rights_)
		drop_rights();
}

void call_program::run(std::span<const std::uint8_t> bytes)
{
	in_ = input_bytes(bytes);
	for (unsigned i = 0; i < most_steps && !in_.is_empty(); i++)
		step();
}

std::vector<std::string> call_program::step_names()
{
	std::vector<std::string> names;

	for (const call &one : calls())
		names.push_back(one.name);
	for (const auto &[name, run] : own_steps())
		names.push_back(name);
	return names;
}

std::uint8_t call_program::step_byte(const std::string &name)
{
	const auto names = step_names();
	const auto found = std::find(names.begin(), names.end(), name);

	if (found == names.end())
		std::abort();
	return static_cast<std::uint8_t>(found - names.begin());
}

void call_program::step()
{
	const std::size_t kinds = calls().size() + own_steps().size();
	const std::uint8_t byte = in_.byte();
	const std::size_t kind = byte % kinds;

	how_ = in_.byte();
	pick_file(static_cast<unsigned>(byte / kinds));
	if (kind < calls().size()) {
		make_call(calls()[kind], how_);
		return;
	}
	const auto &[name, run] = own_steps()[kind - calls().size()];
	errno = 0;
	(this->*run)();
	tell(name, errno);
}

/* For who looks at one input: OAC_FUZZ_TELL. */
void call_program::tell(const std::string &step, int err) const
{
	static const bool is_wanted = std::getenv("OAC_FUZZ_TELL") != nullptr;

	if (is_wanted)
		std::printf("%d %s: %s\n", files_[current_].fd, step.c_str(), std::strerror(err));
}

/* What of the first byte does not say what to do says on which file: mostly the same. */
void call_program::pick_file(unsigned which)
{
	if (files_.empty())
		open_on(0, O_RDWR);
	if (which >= 3)
		current_ = which;
	current_ %= files_.size();
}

/* ---- Values ----------------------------------------------------------------------------------- */

const call_program::thing *call_program::latest(meaning what) const
{
	const auto found = things_.find(what);

	if (found == things_.end() || found->second.empty())
		return nullptr;
	const auto &all = found->second;
	const auto own = std::find_if(all.rbegin(), all.rend(), [this](const thing &one) {
		return one.fd == files_[current_].fd;
	});
	return own == all.rend() ? &all.back() : &*own;
}

int call_program::latest_fd(meaning what) const
{
	const thing *const one = latest(what);

	return one ? static_cast<int>(one->value) : -1;
}

std::uint64_t call_program::pick_pointer()
{
	const auto &known = cards_.pointers();
	const std::size_t which = in_.byte() % (known.size() + 2);

	if (which < known.size())
		return known[which];
	if (which == known.size())
		return cards_.image(true);
	return areas_.empty() ? cards_.arena() :
				reinterpret_cast<std::uintptr_t>(areas_.back().base);
}

std::uint64_t call_program::fine_value(const slot &of)
{
	switch (of.what) {
	case meaning::pointer:
		return cards_.arena();
	case meaning::image:
		return cards_.image(true);
	case meaning::image_size:
		return cards_.image_size();
	case meaning::deadline:
	case meaning::long_deadline:
		return now_ns() + soon_ns;
	case meaning::tail:
		return files_[current_].tail;
	default:
		break;
	}
	if (is_fd(of.what))
		return static_cast<std::uint64_t>(latest_fd(of.what));
	/* What says where to mmap() is never an argument. */
	if (is_thing(of.what) && of.what != meaning::buffer_offset &&
	    of.what != meaning::doorbell_offset) {
		const thing *const one = latest(of.what);

		return one ? one->value : 0;
	}
	return of.fine;
}

/* A pointer stays one that harms nobody but the kernel; a deadline one that comes soon. */
std::uint64_t call_program::other_value(const slot &of)
{
	const std::uint8_t how = in_.byte();
	const std::uint64_t fine = fine_value(of);

	if (of.what == meaning::pointer || (of.what == meaning::image && how & 1))
		return pick_pointer();
	if (of.what == meaning::image)
		return cards_.image(false);
	if (of.what == meaning::long_deadline && how & 1)
		return now_ns() + long_ns;
	if (of.what == meaning::deadline || of.what == meaning::long_deadline)
		return how & 2 ? how : now_ns() + how * (latest_ns / 256);
	if (is_thing(of.what) && how & 3) {
		const auto &all = things_[of.what];

		return all.empty() ? how : all[how / 4 % all.size()].value;
	}
	switch (how / 4 % 8) {
	case 0:
		return in_.byte();
	case 1:
		return in_.number(of.size);
	case 2:
		return ~std::uint64_t{};
	case 3:
		return std::uint64_t{ 1 } << in_.byte() % 64;
	case 4:
		return in_.byte() * page_size;
	case 5:
		return fine ^ std::uint64_t{ 1 } << in_.byte() % 64;
	case 6:
		return fine + 1;
	default:
		return fine - 1;
	}
}

/* ---- Calls ------------------------------------------------------------------------------------ */

/* The second byte: mostly nothing else is wanted; then one field, two; then what is not a field. */
void call_program::change(prepared &made, std::uint8_t how)
{
	const unsigned fields = how % 8 < 4 ? 0 : how % 8 == 7 ? 1 : how % 8 - 3;

	if (how % 8 == 6) {
		made.pointer = pick_pointer();
		return;
	}
	if (how % 8 == 7) {
		/* Programs of another age have shorter or longer structs. */
		const unsigned size = in_.byte() * (how & 8 ? 32 : 1);

		made.request = _IOC(_IOC_DIR(made.request), _IOC_TYPE(made.request),
				    _IOC_NR(made.request), size);
	}
	for (unsigned i = 0; i < fields; i++) {
		const slot &at = made.what->slots[in_.byte() % made.what->slots.size()];
		std::uint64_t value = other_value(at);

		if (at.name == "size" && value > largest_made && value < smallest_refused)
			value |= 2 * smallest_refused;
		put(made.before->data(), at, value);
	}
}

call_program::prepared call_program::prepare(const call &what, std::uint8_t how)
{
	prepared made = { &what,
			  files_[current_].fd,
			  what.request,
			  0,
			  std::make_unique<std::array<std::uint64_t, 2048>>(),
			  std::make_unique<std::array<std::uint64_t, 2048>>() };

	for (const slot &at : what.slots)
		put(made.before->data(), at, fine_value(at));
	change(made, how);
	*made.after = *made.before;
	if (!made.pointer)
		made.pointer = reinterpret_cast<std::uintptr_t>(made.after->data());
	return made;
}

/* What has come back in a field that holds things is one. */
void call_program::collect(const prepared &made)
{
	std::uint64_t size = page_size;

	for (const slot &at : made.what->slots)
		if (at.name == "size")
			size = get(made.after->data(), at);
	for (const slot &at : made.what->slots) {
		const std::uint64_t value = get(made.after->data(), at);

		if (is_thing(at.what) && value != get(made.before->data(), at))
			things_[at.what].push_back({ value, made.fd, size });
	}
	forget_last(*made.what, made);
}

/* What a call has ended is still known, but is not what comes next to mind. */
void call_program::forget_last(const call &what, const prepared &made)
{
	if (what.name.find("DESTROY") == std::string::npos && what.name != "GEM_CLOSE")
		return;
	auto &all = things_[what.slots.front().what];
	const std::uint64_t value = get(made.before->data(), what.slots.front());
	const auto gone = std::find_if(all.begin(), all.end(), [&](const thing &one) {
		return one.value == value && one.fd == made.fd;
	});

	if (gone != all.end())
		std::rotate(all.begin(), gone, gone + 1);
}

void call_program::make_call(const call &what, std::uint8_t how)
{
	const prepared made = prepare(what, how);

	if (what.is_rationed && !cards_.may_take_long())
		return;
	const auto begin = std::chrono::steady_clock::now();
	const int result = ioctl(made.fd, made.request, made.pointer);
	tell(what.name, result ? errno : 0);
	if (result == 0)
		collect(made);
	if (what.is_rationed)
		cards_.took(std::chrono::steady_clock::now() - begin);
}

/* A call beside whatever step comes next. */
void call_program::together()
{
	const call &what = calls()[how_ % calls().size()];

	if (what.is_rationed)
		return;
	const prepared made = prepare(what, in_.byte());
	int result = -1;
	beside_.begin([&made, &result] { result = ioctl(made.fd, made.request, made.pointer); });
	const std::uint8_t kind = in_.byte();
	if (kind % 4 == 0)
		close_file();
	else if (const call &other = calls()[kind / 4 % calls().size()]; !other.is_rationed)
		make_call(other, in_.byte());
	beside_.wait();
	if (result == 0)
		collect(made);
}

} // namespace oac::fuzz
