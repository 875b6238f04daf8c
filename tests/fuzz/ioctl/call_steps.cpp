// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The steps of a program that are not one ioctl of the module's.
#include "call_program.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace oac::fuzz
{

namespace
{

constexpr std::size_t most_files = 4;
constexpr std::uint8_t opcodes[] = { OAC_CMD_NOP,	OAC_CMD_BARRIER, OAC_CMD_COPY,
				     OAC_CMD_FILL,	OAC_CMD_SIGNAL,	 OAC_CMD_WAIT,
				     OAC_CMD_TIMESTAMP, OAC_CMD_EXEC };
constexpr int wait_ms = 1;

/* What limits are for: all else can be done without. */
void set_rights(bool is_on)
{
	constexpr std::uint32_t low = 1u << CAP_SYS_ADMIN | 1u << CAP_SYS_RESOURCE |
				      1u << CAP_SYS_NICE | 1u << CAP_IPC_LOCK;
	__user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	__user_cap_data_struct data[2] = {};

	syscall(SYS_capget, &head, data);
	data[0].effective = is_on ? data[0].permitted : data[0].permitted & ~low;
	syscall(SYS_capset, &head, data);
}

} // namespace

const std::vector<std::pair<std::string, call_program::own_step>> &call_program::own_steps()
{
	static const std::vector<std::pair<std::string, own_step>> all = {
		{ "open", &call_program::open_node },
		{ "close", &call_program::close_file },
		{ "map_buffer", &call_program::map_buffer },
		{ "map_doorbell", &call_program::map_doorbell },
		{ "map_dmabuf", &call_program::map_dmabuf },
		{ "unmap", &call_program::unmap },
		{ "touch", &call_program::touch },
		{ "write_command", &call_program::write_command },
		{ "ring", &call_program::ring },
		{ "make_eventfd", &call_program::make_eventfd },
		{ "read_events", &call_program::read_events },
		{ "poll_all", &call_program::poll_all },
		{ "close_other", &call_program::close_other },
		{ "drop_rights", &call_program::drop_rights },
		{ "signal_syncobj", &call_program::signal_syncobj },
		{ "wait_syncobj", &call_program::wait_syncobj },
		{ "export_fence", &call_program::export_fence },
		{ "fork_child", &call_program::fork_child },
		{ "together", &call_program::together },
	};

	return all;
}

/* ---- Files ------------------------------------------------------------------------------------ */

void call_program::open_on(std::size_t card, int flags)
{
	if (files_.size() == most_files)
		return;
	const int fd = open(cards_.path(card).c_str(), flags | O_CLOEXEC);
	if (fd < 0)
		return;
	files_.push_back({ fd, 0 });
	current_ = files_.size() - 1;
}

void call_program::open_node()
{
	open_on(how_ / 2, how_ & 1 ? O_RDONLY : O_RDWR);
}

void call_program::close_file()
{
	close(files_[current_].fd);
	files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(current_));
	if (files_.empty())
		open_on(0, O_RDWR);
	current_ %= files_.size();
}

/* A descriptor of the others. */
void call_program::close_other()
{
	static constexpr meaning kinds[] = { meaning::dmabuf, meaning::event_stream,
					     meaning::eventfd };
	auto &all = things_[kinds[how_ % std::size(kinds)]];

	if (all.empty())
		return;
	close(static_cast<int>(all.back().value));
	all.pop_back();
}

/* Or takes them back. */
void call_program::drop_rights()
{
	has_rights_ = !has_rights_;
	set_rights(has_rights_);
}

/* ---- Mappings --------------------------------------------------------------------------------- */

void call_program::map(const thing &what, meaning kind)
{
	const std::uint8_t how = how_;
	const bool is_file = kind == meaning::dmabuf;
	std::uint64_t size = kind == meaning::doorbell_offset ? page_size : what.size;
	std::uint64_t offset = is_file ? 0 : what.value;
	int prot = PROT_READ | PROT_WRITE;
	int flags = MAP_SHARED;

	if (how & 1) {
		size = in_.byte() * page_size;
		offset += in_.byte() % 8 * page_size;
	}
	if (how & 2)
		prot = in_.byte() % 8;
	if ((how & 12) == 12)
		flags = MAP_PRIVATE;
	if (!size || size > 16 * ring_size)
		return;
	void *const base = mmap(nullptr, size, prot, flags,
				is_file ? static_cast<int>(what.value) : what.fd,
				static_cast<off_t>(offset));
	if (base != MAP_FAILED)
		areas_.push_back({ base, size, prot, kind, what.fd });
}

void call_program::map_buffer()
{
	if (const thing *const one = latest(meaning::buffer_offset))
		map(*one, meaning::buffer_offset);
}

void call_program::map_doorbell()
{
	if (const thing *const one = latest(meaning::doorbell_offset))
		map(*one, meaning::doorbell_offset);
}

void call_program::map_dmabuf()
{
	if (const thing *const one = latest(meaning::dmabuf))
		map({ one->value, one->fd, ring_size }, meaning::dmabuf);
}

void call_program::unmap()
{
	if (areas_.empty())
		return;
	const std::size_t which = how_ % areas_.size();

	munmap(areas_[which].base, areas_[which].size);
	areas_.erase(areas_.begin() + static_cast<std::ptrdiff_t>(which));
}

/* Whatever has become of what is behind it: a mapping can be touched as long as it is there. */
void call_program::touch()
{
	if (areas_.empty())
		return;
	const area &one = areas_[areas_.size() - 1 - how_ % areas_.size()];
	const std::uint64_t at = how_ / 16 % (one.size / page_size) * page_size;
	auto *const word =
		reinterpret_cast<volatile std::uint32_t *>(static_cast<char *>(one.base) + at);

	if (one.prot & PROT_WRITE)
		*word = how_;
	else if (one.prot & PROT_READ)
		(void)*word;
}

/* ---- The card --------------------------------------------------------------------------------- */

call_program::area *call_program::latest_area(meaning what)
{
	for (auto one = areas_.rbegin(); one != areas_.rend(); ++one)
		if (one->what == what && one->fd == files_[current_].fd && one->prot & PROT_WRITE)
			return &*one;
	return nullptr;
}

/* Behind the last one, where the rings of this file are if they are where they are mostly. */
void call_program::write_command()
{
	const std::uint8_t how = how_;
	area *const rings = latest_area(meaning::buffer_offset);
	oac_cmd cmd = {};

	cmd.opcode = how < 0xf0 ? opcodes[how % std::size(opcodes)] : how;
	if (cmd.opcode == OAC_CMD_FILL)
		cmd.body.fill = { ring_va + 3 * page_size, 64, how, 1, {} };
	else if (cmd.opcode != OAC_CMD_NOP && cmd.opcode != OAC_CMD_BARRIER)
		cmd.body.timeline = { ring_va + 3 * page_size + how / 8 * 8, 1 };
	if (!rings || rings->size < ring_size)
		return;
	const std::uint32_t slot = files_[current_].tail++ % (1u << depth_log2);
	std::memcpy(static_cast<char *>(rings->base) + slot * sizeof(cmd), &cmd, sizeof(cmd));
}

void call_program::ring()
{
	const std::uint8_t how = how_;
	const area *const page = latest_area(meaning::doorbell_offset);

	if (!page)
		return;
	char *const base = static_cast<char *>(page->base);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (how % 4 == 3)
		*reinterpret_cast<volatile std::uint64_t *>(base + OAC_DB_ARM) =
			std::uint64_t{ how } << OAC_DB_ARM_SEQ_SHIFT;
	else
		*reinterpret_cast<volatile std::uint32_t *>(base + OAC_DB_SQ_TAIL) =
			files_[current_].tail + (how % 4 == 2 ? how : 0);
}

/* ---- Events ----------------------------------------------------------------------------------- */

void call_program::make_eventfd()
{
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd >= 0)
		things_[meaning::eventfd].push_back({ static_cast<std::uint64_t>(fd), -1, 0 });
}

/* Only what is there: to wait for more would be for ever. */
void call_program::read_events()
{
	const std::uint8_t how = how_;
	pollfd one = { latest_fd(meaning::event_stream), POLLIN, 0 };
	char events[512];

	if (poll(&one, 1, wait_ms) != 1 || !(one.revents & POLLIN))
		return;
	const ssize_t got = read(one.fd,
				 how & 1 ? reinterpret_cast<void *>(pick_pointer()) : events,
				 how & 2 ? how : sizeof(events));
	(void)got;
}

void call_program::poll_all()
{
	std::vector<pollfd> all;

	for (const file &one : files_)
		all.push_back({ one.fd, POLLIN | POLLOUT, 0 });
	for (const meaning kind : { meaning::dmabuf, meaning::event_stream, meaning::eventfd })
		for (const thing &one : things_[kind])
			all.push_back({ static_cast<int>(one.value), POLLIN | POLLOUT, 0 });
	poll(all.data(), all.size(), 0);
}

/* ---- Fences ----------------------------------------------------------------------------------- */

void call_program::signal_syncobj()
{
	std::uint32_t handle =
		static_cast<std::uint32_t>(fine_value({ {}, 0, 4, meaning::syncobj, 0 }));
	std::uint64_t point = how_;
	drm_syncobj_timeline_array timeline = {};
	drm_syncobj_array plain = {};

	timeline.handles = plain.handles = reinterpret_cast<std::uintptr_t>(&handle);
	timeline.points = reinterpret_cast<std::uintptr_t>(&point);
	timeline.count_handles = plain.count_handles = 1;
	if (point & 1)
		ioctl(files_[current_].fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &timeline);
	else
		ioctl(files_[current_].fd,
		      point & 2 ? DRM_IOCTL_SYNCOBJ_SIGNAL : DRM_IOCTL_SYNCOBJ_RESET, &plain);
}

void call_program::wait_syncobj()
{
	std::uint32_t handle =
		static_cast<std::uint32_t>(fine_value({ {}, 0, 4, meaning::syncobj, 0 }));
	std::uint64_t point = how_;
	drm_syncobj_timeline_wait wait = {};

	wait.handles = reinterpret_cast<std::uintptr_t>(&handle);
	wait.points = reinterpret_cast<std::uintptr_t>(&point);
	wait.count_handles = 1;
	wait.flags = how_ / 32;
	wait.timeout_nsec =
		static_cast<std::int64_t>(fine_value({ {}, 0, 8, meaning::deadline, 0 }));
	ioctl(files_[current_].fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
}

/* Looking at a sync_file is what has a fence tell its end at once. */
void call_program::export_fence()
{
	drm_syncobj_handle out = {};

	out.handle = static_cast<std::uint32_t>(fine_value({ {}, 0, 4, meaning::syncobj, 0 }));
	out.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	if (ioctl(files_[current_].fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &out))
		return;
	pollfd one = { out.fd, POLLIN, 0 };
	poll(&one, 1, wait_ms);
	close(out.fd);
}

/* ---- Others ----------------------------------------------------------------------------------- */

/* A process that inherits all of it but doorbells, and touches what it has. */
void call_program::fork_child()
{
	const pid_t child = fork();

	if (child == 0) {
		for (const area &one : areas_)
			if (one.what != meaning::doorbell_offset && one.prot & PROT_WRITE)
				*static_cast<volatile char *>(one.base) = 1;
		_exit(0);
	}
	if (child > 0)
		waitpid(child, nullptr, 0);
}

} // namespace oac::fuzz
