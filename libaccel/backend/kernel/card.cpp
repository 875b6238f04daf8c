// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Contexts, maps and queues of a card behind the oac module; buffers are in card_memory.cpp, fences
// in card_sync.cpp, telemetry and firmware in card_info.cpp.
#include "card.hpp"

#include <cerrno>

#include <sys/eventfd.h>
#include <sys/mman.h>

#include <drm/oac_accel.h>

#include "../../src/error.hpp"
#include "ioctl.hpp"
#include "node.hpp"
#include "numa.hpp"

namespace accel::kernel
{

static_assert(MAP_CARD_READ == DRM_OAC_MAP_READ && MAP_CARD_WRITE == DRM_OAC_MAP_WRITE);

namespace
{

constexpr std::size_t DOORBELL_SIZE = 4096;

/* What a user can do about an error that any call may give. */
const char *remedy(int code) noexcept
{
	switch (code) {
	case ENODEV:
		return "the card is gone; look at dmesg, then open it again";
	case EHOSTDOWN:
		return "its firmware is not running, or it is being recovered; see accelctl health, "
		       "wait, or load another (accelctl fw load)";
	case ESTALE:
		return STALE_TEXT;
	case ETIMEDOUT:
		return "the card did not answer in time; look at dmesg";
	case ENOSPC:
		return "the card has none left; free some, or use another card";
	case EPERM:
		return "this needs a privilege; run it as root";
	case EBUSY:
		return "contexts are open on the card; end the programs that use it";
	case ENOMEM:
		return "the host is out of memory; free some and try again";
	case EDQUOT:
		return "this user may have no more; free some, or have the limit raised";
	case EOPNOTSUPP:
		return "this card, module or kernel cannot do that";
	case E2BIG:
		return "larger than the module allows; ask for less";
	default:
		return nullptr;
	}
}

const char *limit_text(std::uint32_t limit) noexcept
{
	switch (limit) {
#define X(name, text) \
	case DRM_OAC_LIMIT_##name: \
		return text;
		DRM_OAC_LIMITS(X)
#undef X
	default:
		return nullptr;
	}
}

} // namespace

card::card(const std::string &node) : name_(node), fd_(open_node(node))
{
	numa_node_ = info().numa_node;
	look();
}

int card::try_call(unsigned long request, void *argument) noexcept
{
	int result = ioctl_call(fd_.get(), request, argument);
	if (result == -ENODEV)
		lose();
	if (result == -ESTALE)
		look();
	return result;
}

void card::fail(int code, const char *what)
{
	const char *advice = remedy(code);
	throw failure(code, name_ + ": " + what + ": " + (advice ? advice : errno_text(code)));
}

void card::fail(int code, const char *what, std::uint32_t limit)
{
	const char *text = code == ENOSPC || code == EDQUOT ? limit_text(limit) : nullptr;
	if (!text)
		fail(code, what);
	throw failure(code, name_ + ": " + what + ": the limit is met: " + text +
				    (code == ENOSPC ? "; free some, or use another card" :
						      "; free some, or have the limit raised"));
}

void card::call(unsigned long request, void *argument, const char *what)
{
	int result = try_call(request, argument);
	if (result < 0)
		fail(-result, what);
}

std::uint32_t card::context_create()
{
	drm_oac_context_create request = {};

	const int result = try_call(DRM_IOCTL_OAC_CONTEXT_CREATE, &request);
	if (result < 0)
		fail(-result, "create a context", request.limit);
	return request.context;
}

void card::context_destroy(std::uint32_t context) noexcept
{
	drm_oac_context_destroy request = {};

	request.context = context;
	try_call(DRM_IOCTL_OAC_CONTEXT_DESTROY, &request);
}

void card::map(std::uint32_t context, const buffer_memory &memory, std::size_t offset,
	       std::size_t size, std::uint64_t va, std::uint32_t flags)
{
	drm_oac_map request = {};

	request.context = context;
	request.handle = static_cast<std::uint32_t>(memory.handle);
	request.va = va;
	request.offset = offset;
	request.size = size;
	request.flags = flags;
	const int result = try_call(DRM_IOCTL_OAC_MAP, &request);
	if (result == -EACCES)
		throw failure(EACCES, name_ + ": map a buffer to a context: the card may not write "
					      "read-only memory; map it with ACCEL_MAP_READ alone");
	if (result < 0)
		fail(-result, "map a buffer to a context", request.limit);
}

void card::unmap(std::uint32_t context, std::uint64_t va, std::size_t size)
{
	drm_oac_unmap request = {};

	request.context = context;
	request.va = va;
	request.size = size;
	call(DRM_IOCTL_OAC_UNMAP, &request, "unmap a buffer from a context");
}

queue_port card::queue_create(std::uint32_t context, const queue_rings &rings)
{
	drm_oac_queue_create request = {};
	queue_port port;

	request.context = context;
	request.depth_log2 = rings.depth_log2;
	request.sq_va = rings.sq_va;
	request.cq_va = rings.cq_va;
	request.tail_va = rings.tail_va;
	request.priority = rings.priority;
	request.weight = rings.weight;
	request.flags = rings.is_driver_submit ? DRM_OAC_QUEUE_KERNEL_SUBMIT : 0;
	int result = try_call(DRM_IOCTL_OAC_QUEUE_CREATE, &request);
	if (result == -EPERM)
		throw failure(EPERM, name_ + ": create a queue: a priority above normal needs "
					     "CAP_SYS_NICE; ask for 1 or less");
	if (result < 0)
		fail(-result, "create a queue", request.limit);

	port.queue = request.queue;
	port.shared = rings.is_driver_submit;
	try {
		queue_resources made;
		port.doorbell =
			doorbell_page(request.doorbell_offset, rings.is_driver_submit, made);
		std::lock_guard guard(lock_);
		queues_[port.queue] = std::move(made);
	} catch (...) {
		queue_destroy(port.queue);
		throw;
	}
	return port;
}

/* The card's page, or where the driver submits one of plain memory: see queue_port. */
void *card::doorbell_page(std::uint64_t offset, bool is_driver_submit, queue_resources &to)
{
	if (is_driver_submit) {
		to.page = std::make_unique<submit_page>();
		return to.page->bytes;
	}
	void *page = mmap(nullptr, DOORBELL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(),
			  static_cast<off_t>(offset));
	if (page == MAP_FAILED)
		fail(errno, "map a queue's doorbell");
	to.doorbell = mapping(page, DOORBELL_SIZE);
	return page;
}

void card::queue_destroy(std::uint32_t queue) noexcept
{
	drm_oac_queue_destroy request = {};

	/* Ours goes first: once the kernel has let go of the id, another thread may be given it. */
	const auto gone = [&] {
		std::lock_guard guard(lock_);
		return queues_.extract(queue);
	}();
	request.queue = queue;
	try_call(DRM_IOCTL_OAC_QUEUE_DESTROY, &request);
}

int card::submit(std::uint32_t queue, std::uint32_t flags, std::uint32_t tail,
		 std::uint32_t seen) noexcept
{
	drm_oac_queue_submit request = {};

	request.queue = queue;
	request.flags = flags;
	request.tail = tail;
	request.seen = seen;
	return try_call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &request);
}

/* Only queues that submit through the driver come here: a store in the card's page reaches it. */
int card::ring(std::uint32_t queue, std::uint32_t sq_tail) noexcept
{
	return submit(queue, DRM_OAC_SUBMIT_TAIL, sq_tail, 0);
}

int card::arm(std::uint32_t queue, std::uint64_t arm_word) noexcept
{
	return submit(queue, DRM_OAC_SUBMIT_ARM, 0, arm_seen(arm_word));
}

/* The file is the parent's, and must not live on by this process after that one's end. */
void card::abandon() noexcept
{
	lose();
	close(fd_.get());
	if (change_.is_open())
		close(change_.get());
}

int card::queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
		     queue_progress *progress) noexcept
{
	drm_oac_queue_wait request = {};

	request.queue = queue;
	request.seen = seen;
	request.deadline_ns = deadline > 0 ? static_cast<std::uint64_t>(deadline) : 0;
	int result = try_call(DRM_IOCTL_OAC_QUEUE_WAIT, &request);
	if (result == 0 || result == -ETIMEDOUT || result == -ESTALE) {
		progress->completed = request.completed;
		progress->state = request.state;
		progress->status = request.status;
		progress->taken = request.taken;
		progress->fault_addr = request.fault_addr;
	}
	return result;
}

int card::queue_event_fd(std::uint32_t queue)
{
	std::lock_guard guard(lock_);
	auto entry = queues_.find(queue);
	if (entry == queues_.end())
		fail(ENOENT, "find a queue");
	unique_fd &event = entry->second.event;
	if (event.is_open())
		return event.get();

	unique_fd fresh(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	if (!fresh.is_open())
		fail(errno, "create an eventfd");
	drm_oac_queue_eventfd request = {};
	request.queue = queue;
	request.fd = fresh.get();
	call(DRM_IOCTL_OAC_QUEUE_EVENTFD, &request, "attach an eventfd to a queue");
	event = std::move(fresh);
	return event.get();
}

} // namespace accel::kernel
