// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "holder.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../abi/recovery.hpp"
#include "../support/asleep.hpp"

namespace stress
{

namespace
{

constexpr std::size_t page = isolation::raw_client::page;
constexpr std::uint64_t never = 4 * page;	/* a word of the memory that stays 0 */
constexpr unsigned wait_s = 600, told_ms = 60000;

void check(int result, const char *what)
{
	if (result < 0)
		throw std::system_error(-result, std::generic_category(), what);
}

/* Until the card's last event, or the one that says that it works again. */
void read_events(int fd)
{
	drm_oac_event one = {};

	while (read(fd, &one, sizeof(one)) == sizeof(one)) {
		if (one.code == OAC_EVENT_REMOVED || one.code == OAC_EVENT_RECOVERED)
			return;
	}
}

bool is_readable(int fd, int ms)
{
	pollfd poll_for = { fd, POLLIN, 0 };

	return poll(&poll_for, 1, ms) == 1;
}

} // namespace

holder::holder(const std::string &node, const std::string &peer)
	: own_(node), peer_(peer), has_sync_(own_.features() & DRM_OAC_FEATURE_SYNC)
{
	map_everything();
	begin_work();
	/* Last: from here on nothing throws. */
	sleep();
}

holder::~holder()
{
	waiter_.join();
	reader_.join();
	for (void *one : views_)
		munmap(one, page);
	for (const int fd : fds_)
		close(fd);
}

void holder::keep(int fd, std::uint64_t offset)
{
	void *view = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  static_cast<off_t>(offset));

	check(view == MAP_FAILED ? -errno : 0, "mmap");
	views_.push_back(view);
	*static_cast<volatile char *>(view) = 1;
}

void holder::map_everything()
{
	const std::uint64_t features = own_.features();
	drm_oac_bo_userptr pin = {};

	keep(own_.fd(), own_.mmap_offset());
	if (features & DRM_OAC_FEATURE_USERPTR) {
		pin.addr = reinterpret_cast<std::uintptr_t>(pinned_);
		pin.size = sizeof(pinned_);
		check(own_.call(DRM_IOCTL_OAC_BO_USERPTR, &pin), "userptr");
		check(own_.map(pin.handle, next_address_, sizeof(pinned_)), "map of own memory");
		next_address_ += 1 << 30;
	}
	if (features & DRM_OAC_FEATURE_LOCAL_MEMORY)
		map_local();
	if (features & DRM_OAC_FEATURE_DMABUF) {
		exchange(own_, peer_);
		exchange(peer_, own_);
	}
}

void holder::map_local()
{
	drm_oac_bo_create create = {};
	drm_prime_handle prime = {};

	create.size = 4 * page;
	create.flags = DRM_OAC_BO_LOCAL;
	check(own_.call(DRM_IOCTL_OAC_BO_CREATE, &create), "local memory");
	check(own_.map(create.handle, next_address_, create.size), "map of local memory");
	next_address_ += 1 << 30;
	keep(own_.fd(), create.mmap_offset);
	prime.handle = create.handle;
	prime.flags = DRM_CLOEXEC | DRM_RDWR;
	if (own_.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return;
	fds_.push_back(prime.fd);
	keep(prime.fd, 0);
	if (!(own_.features() & DRM_OAC_FEATURE_PEER))
		return;
	std::uint32_t handle = 0;
	check(peer_.import_memory(prime.fd, &handle), "import of local memory");
	check(peer_.map(handle, next_address_, create.size), "map of another's local memory");
	next_address_ += 1 << 30;
}

void holder::exchange(client &from, client &to)
{
	std::uint32_t handle = 0;
	int fd = -1;

	check(from.export_memory(&fd), "export");
	fds_.push_back(fd);
	keep(fd, 0);
	check(to.import_memory(fd, &handle), "import");
	check(to.map(handle, next_address_, client::size), "map of another's memory");
	next_address_ += 1 << 30;
}

/* A command that waits for what never comes, a fence behind it, and a store behind that. */
void holder::begin_work()
{
	const bool user = own_.features() & DRM_OAC_FEATURE_USER_SUBMIT;
	drm_syncobj_create obj = {};
	drm_syncobj_handle file = {};
	drm_oac_queue_fence fence = {};
	drm_oac_sync_store store = {};
	drm_oac_events_open open = {};

	check(own_.create_queue(user ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT), "queue");
	if (user)
		keep(own_.fd(), own_.doorbell_offset());
	own_.write_wait(0, 0, client::base + never, 1);
	own_.ring_doorbell(1);
	event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds_.push_back(event_);
	drm_oac_queue_eventfd arm = { own_.queue(), event_ };
	check(own_.call(DRM_IOCTL_OAC_QUEUE_EVENTFD, &arm), "eventfd");
	check(own_.call(DRM_IOCTL_OAC_EVENTS_OPEN, &open), "events");
	events_ = open.fd;
	fds_.push_back(events_);
	if (!has_sync_)
		return;
	check(own_.call(DRM_IOCTL_SYNCOBJ_CREATE, &obj), "syncobj");
	fence.queue = own_.queue();
	fence.count = 1;
	fence.syncobj = store.syncobj = file.handle = obj.handle;
	check(own_.call(DRM_IOCTL_OAC_QUEUE_FENCE, &fence), "fence");
	store.handle = own_.handle();
	store.offset = never + 64;
	store.value = 1;
	check(own_.call(DRM_IOCTL_OAC_SYNC_STORE, &store), "store");
	file.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	check(own_.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file), "sync_file");
	sync_file_ = file.fd;
	fds_.push_back(sync_file_);
}

void holder::sleep()
{
	std::atomic<pid_t> waits = 0, reads = 0;

	waiter_ = std::thread([this, &waits] {
		drm_oac_queue_wait wait = {};
		timespec now = {};

		clock_gettime(CLOCK_MONOTONIC, &now);
		wait.queue = own_.queue();
		wait.deadline_ns = (static_cast<std::uint64_t>(now.tv_sec) + wait_s) * 1000000000;
		waits = gettid();
		wait_error_ = -own_.call(DRM_IOCTL_OAC_QUEUE_WAIT, &wait);
	});
	reader_ = std::thread([this, &reads] {
		reads = gettid();
		read_events(events_);
	});
	while (!waits || !reads)
		std::this_thread::yield();
	/* Or somebody else's fault has already ended it. */
	support::wait_until_asleep(waits);
}

std::string holder::look()
{
	std::string wrong;

	waiter_.join();
	if (wait_error_ != ENODEV && wait_error_ != ESTALE)
		wrong += "the waiter got " + std::to_string(wait_error_) + "; ";
	waiter_ = std::thread([] {});
	if (!is_readable(event_, told_ms))
		wrong += "no eventfd; ";
	if (has_sync_ && !is_readable(sync_file_, told_ms))
		wrong += "the fence is pending; ";
	if (*reinterpret_cast<volatile std::uint64_t *>(own_.memory().data() + never + 64))
		wrong += "a store of a fence with an error; ";
	for (void *one : views_)
		*static_cast<volatile char *>(one) = 2;
	return wrong;
}

} // namespace stress
