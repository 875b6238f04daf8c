// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fences of the rest of Linux, out of queues and into timelines. Out, the driver makes them. In, the
// driver raises the timeline's word, where cards wait for it; host threads that wait sleep on the
// sync_file itself and, since they may wake before the driver has written, raise the word too.
#include <cerrno>

#include <fcntl.h>
#include <linux/sync_file.h>
#include <sys/ioctl.h>

#include "queue.hpp"
#include "timeline.hpp"

using accel::failure;
using accel::guard;

namespace
{

/* 1: signalled; 0: not yet; below 0: signalled an error, or is no sync_file. */
int fence_status(int sync_file) noexcept
{
	sync_file_info info{};
	int result;
	do {
		result = ioctl(sync_file, SYNC_IOC_FILE_INFO, &info);
	} while (result != 0 && (errno == EINTR || errno == EAGAIN));
	return result != 0 ? -errno : info.status;
}

} // namespace

void accel_timeline::raise(std::uint64_t value) noexcept
{
	std::uint64_t now = word().load(std::memory_order_relaxed);
	while (now < value &&
	       !word().compare_exchange_weak(now, value, std::memory_order_release)) {}
}

/* Under mutex. Closing a sync_file takes it out of the epoll of others: the kick tells them. */
void accel_timeline::drop_signalled()
{
	const std::size_t dropped = std::erase_if(fences, [&](const accel::followed_fence &fence) {
		const int status = fence_status(fence.sync_file.get());
		if (status > 0)
			raise(fence.value);
		return status != 0;
	});
	if (dropped > 0)
		context->kick();
}

void accel_timeline::follow(int sync_file, std::uint64_t value)
{
	accel::unique_fd copy(fcntl(sync_file, F_DUPFD_CLOEXEC, 0));
	/* What is no descriptor at all is for the backend to refuse, which may know no fences. */
	if (!copy.is_open() && errno != EBADF)
		throw failure(errno, "timeline: no descriptor: " + accel::errno_text(errno));
	const std::lock_guard lock(mutex);
	drop_signalled();
	fences.reserve(fences.size() + 1);
	/* The word is at the start of its page. */
	context->device->backend->follow_sync_file(memory.buffer().memory, 0, value, sync_file);
	fences.push_back({ std::move(copy), value });
	context->kick();
}

int accel_queue_export_sync_file(accel_queue *queue, int *fd)
{
	return guard([&] {
		accel::require(queue, "queue");
		accel::require(fd, "fd");
		*fd = queue->card->queue_sync_file(queue->port->queue, queue->ring.rung());
		return 0;
	});
}

int accel_queue_signal_syncobj(accel_queue *queue, int syncobj_fd, uint64_t point)
{
	return guard([&] {
		accel::require(queue, "queue");
		queue->card->queue_fence(queue->port->queue, queue->ring.rung(), syncobj_fd, point);
		return 0;
	});
}

int accel_timeline_import_sync_file(accel_timeline *timeline, int fd, uint64_t value)
{
	return guard([&] {
		accel::require(timeline, "timeline");
		timeline->follow(fd, value);
		return 0;
	});
}

int accel_timeline_import_syncobj(accel_timeline *timeline, int syncobj_fd, uint64_t point,
				  uint64_t value)
{
	return guard([&] {
		accel::require(timeline, "timeline");
		const accel::unique_fd sync_file(
			timeline->context->device->backend->sync_file_of(syncobj_fd, point));
		timeline->follow(sync_file.get(), value);
		return 0;
	});
}
