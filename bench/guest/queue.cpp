// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See queue.hpp.
#include "queue.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <hw/oac_admin.h>
#include <hw/oac_regs.h>

namespace guest
{

namespace
{

constexpr std::uint32_t DEPTH_LOG2 = 6;
constexpr std::uint32_t DEPTH = 1u << DEPTH_LOG2;
constexpr std::uint64_t VA = 0x100000;
constexpr std::size_t CQ = DEPTH * sizeof(oac_cmd);
constexpr std::size_t TAIL = CQ + DEPTH * sizeof(oac_completion);
constexpr std::size_t DATA = 8192;
constexpr std::size_t SLOW = std::size_t{ 16 } << 20;
constexpr std::size_t SIZE = DATA + 2 * SLOW;
constexpr std::uint64_t PATIENCE_NS = 60'000'000'000;

void call(int node, unsigned long request, void *argument, const char *what)
{
	while (ioctl(node, request, argument) != 0)
		if (errno != EINTR && errno != EAGAIN)
			throw std::system_error(errno, std::generic_category(), what);
}

/* On paths that are measured. */
void must(int node, unsigned long request, void *argument, const char *what)
{
	while (ioctl(node, request, argument) != 0) {
		if (errno == EINTR || errno == EAGAIN)
			continue;
		perror(what);
		abort();
	}
}

char *map_at(int node, std::uint64_t offset, std::size_t size)
{
	void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, node,
			static_cast<off_t>(offset));
	if (at == MAP_FAILED)
		throw std::system_error(errno, std::generic_category(), "mmap");
	return static_cast<char *>(at);
}

std::uint64_t deadline()
{
	timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
	       static_cast<std::uint64_t>(now.tv_nsec) + PATIENCE_NS;
}

} // namespace

queue::queue(int node, std::uint32_t flags)
	: node_(node), is_kernel_submit_(flags & DRM_OAC_QUEUE_KERNEL_SUBMIT)
{
	drm_oac_context_create context{};
	call(node, DRM_IOCTL_OAC_CONTEXT_CREATE, &context, "CONTEXT_CREATE");
	drm_oac_bo_create memory{};
	memory.size = SIZE;
	call(node, DRM_IOCTL_OAC_BO_CREATE, &memory, "BO_CREATE");
	char *rings = map_at(node, memory.mmap_offset, SIZE);
	commands_ = reinterpret_cast<oac_cmd *>(rings);
	published_ = reinterpret_cast<oac_cq_tail *>(rings + TAIL);
	drm_oac_map map{};
	map.context = context.context;
	map.handle = memory.handle;
	map.va = VA;
	map.size = SIZE;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	call(node, DRM_IOCTL_OAC_MAP, &map, "MAP");
	drm_oac_queue_create create{};
	create.context = context.context;
	create.depth_log2 = DEPTH_LOG2;
	create.sq_va = VA;
	create.cq_va = VA + CQ;
	create.tail_va = VA + TAIL;
	create.priority = OAC_PRIORITY_NORMAL;
	create.flags = flags;
	call(node, DRM_IOCTL_OAC_QUEUE_CREATE, &create, "QUEUE_CREATE");
	queue_ = create.queue;
	if (!is_kernel_submit_)
		doorbell_ = map_at(node, create.doorbell_offset, OAC_DB_PAGE_SIZE);
}

void queue::write(unsigned count, bool is_first_slow)
{
	for (unsigned i = 0; i < count; i++, tail_++) {
		oac_cmd &next = commands_[tail_ % DEPTH];
		next = {};
		next.opcode = OAC_CMD_NOP;
		next.tag = i;
		if (i == 0 && is_first_slow) {
			next.opcode = OAC_CMD_COPY;
			next.body.copy.src = VA + DATA;
			next.body.copy.dst = VA + DATA + SLOW;
			next.body.copy.row_bytes = SLOW;
			next.body.copy.rows = 1;
		}
	}
}

void queue::submit()
{
	if (is_kernel_submit_) {
		drm_oac_queue_submit submit{ queue_, DRM_OAC_SUBMIT_TAIL, tail_, 0 };
		must(node_, DRM_IOCTL_OAC_QUEUE_SUBMIT, &submit, "QUEUE_SUBMIT");
		return;
	}
	std::atomic_thread_fence(std::memory_order_release);
	*reinterpret_cast<volatile std::uint32_t *>(doorbell_ + OAC_DB_SQ_TAIL) = tail_;
}

void queue::wait_ioctl()
{
	drm_oac_queue_wait wait{};
	wait.queue = queue_;
	wait.deadline_ns = deadline();
	while (head_ != tail_) {
		wait.seen = head_;
		must(node_, DRM_IOCTL_OAC_QUEUE_WAIT, &wait, "QUEUE_WAIT");
		head_ = wait.completed;
	}
}

void queue::reap()
{
	head_ = std::atomic_ref<__le32>(published_->tail).load(std::memory_order_acquire);
	if (head_ != tail_)
		abort();
}

bool queue::make_syncobj()
{
	drm_syncobj_create create{};
	if (ioctl(node_, DRM_IOCTL_SYNCOBJ_CREATE, &create) != 0)
		return false;
	syncobj_ = create.handle;
	return true;
}

void queue::submit_and_fence()
{
	submit();
	drm_oac_queue_fence fence{};
	fence.queue = queue_;
	fence.count = tail_;
	fence.syncobj = syncobj_;
	must(node_, DRM_IOCTL_OAC_QUEUE_FENCE, &fence, "QUEUE_FENCE");
}

void queue::wait_syncobj()
{
	drm_syncobj_wait wait{};
	wait.handles = reinterpret_cast<std::uintptr_t>(&syncobj_);
	wait.count_handles = 1;
	wait.timeout_nsec = static_cast<std::int64_t>(deadline());
	must(node_, DRM_IOCTL_SYNCOBJ_WAIT, &wait, "SYNCOBJ_WAIT");
}

} // namespace guest
