// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Plain ioctls and stores.
#include "raw_client.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace isolation
{

namespace
{

/* The two commands of the card that hostile rings are seeded with. */
constexpr std::uint8_t opcode_nop = 0x00;
constexpr std::uint8_t opcode_fill = 0x11;

struct raw_command {
	std::uint8_t opcode, flags;
	std::uint16_t reserved;
	std::uint32_t tag;
	std::uint64_t words[7];
};
static_assert(sizeof(raw_command) == 64);

void store(std::byte *ring, std::uint32_t index, const raw_command &command)
{
	std::memcpy(ring + index % raw_client::depth * sizeof(command), &command, sizeof(command));
}

void check(int result, const char *what)
{
	if (result < 0)
		throw std::system_error(-result, std::generic_category(), what);
}

} // namespace

raw_client::raw_client(const std::string &node) : fd_(open(node.c_str(), O_RDWR | O_CLOEXEC))
{
	check(fd_ < 0 ? -errno : 0, "open");
	drm_oac_context_create context = {};
	check(call(DRM_IOCTL_OAC_CONTEXT_CREATE, &context), "context");
	context_ = context.context;

	drm_oac_bo_create memory = {};
	memory.size = size;
	check(call(DRM_IOCTL_OAC_BO_CREATE, &memory), "memory");
	handle_ = memory.handle;
	void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
			    static_cast<off_t>(memory.mmap_offset));
	check(mapped == MAP_FAILED ? -errno : 0, "mmap");
	memory_ = static_cast<std::byte *>(mapped);

	drm_oac_map map = {};
	map.context = context_;
	map.handle = handle_;
	map.va = base;
	map.size = size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	check(call(DRM_IOCTL_OAC_MAP, &map), "map");
}

raw_client::~raw_client()
{
	if (doorbell_)
		munmap(doorbell_, page);
	if (memory_)
		munmap(memory_, size);
	if (fd_ >= 0)
		close(fd_);
}

int raw_client::call(unsigned long request, void *argument)
{
	int result;
	do
		result = ioctl(fd_, request, argument);
	while (result < 0 && (errno == EINTR || errno == EAGAIN));
	return result < 0 ? -errno : result;
}

int raw_client::create_queue()
{
	drm_oac_queue_create request = {};

	request.context = context_;
	request.depth_log2 = depth_log2;
	request.sq_va = base;
	request.cq_va = base + 2 * page;
	request.tail_va = base + 3 * page;
	request.priority = 1;
	if (int result = call(DRM_IOCTL_OAC_QUEUE_CREATE, &request); result < 0)
		return result;
	queue_ = request.queue;
	doorbell_offset_ = request.doorbell_offset;
	void *mapped = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
			    static_cast<off_t>(doorbell_offset_));
	if (mapped == MAP_FAILED)
		return -errno;
	doorbell_ = static_cast<std::byte *>(mapped);
	return 0;
}

void raw_client::write_nop(std::uint32_t index, std::uint32_t tag)
{
	raw_command command = {};
	command.opcode = opcode_nop;
	command.tag = tag;
	store(memory_, index, command);
}

void raw_client::write_fill(std::uint32_t index, std::uint32_t tag, std::uint64_t to,
			    std::uint64_t length)
{
	raw_command command = {};
	command.opcode = opcode_fill;
	command.tag = tag;
	command.words[0] = to;
	command.words[1] = length;
	command.words[2] = 0x66;
	command.words[3] = 1;	/* pattern_size */
	store(memory_, index, command);
}

void raw_client::ring_doorbell(std::uint32_t tail)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*reinterpret_cast<volatile std::uint32_t *>(doorbell_) = tail;
}

void raw_client::arm(std::uint64_t word)
{
	*reinterpret_cast<volatile std::uint64_t *>(doorbell_ + 8) = word;
}

drm_oac_queue_wait raw_client::wait(std::uint32_t seen)
{
	timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	drm_oac_queue_wait request = {};
	request.queue = queue_;
	request.seen = seen;
	request.deadline_ns = static_cast<std::uint64_t>(now.tv_sec + 10) * 1000000000;
	int result = call(DRM_IOCTL_OAC_QUEUE_WAIT, &request);
	check(result == -ETIMEDOUT ? 0 : result, "wait");
	return request;
}

} // namespace isolation
