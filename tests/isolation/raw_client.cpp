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

/* The commands of the card that hostile rings are seeded with. */
constexpr std::uint8_t opcode_nop = 0x00;
constexpr std::uint8_t opcode_copy = 0x10;
constexpr std::uint8_t opcode_fill = 0x11;
constexpr std::uint8_t opcode_wait = 0x21;

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

raw_client::raw_client(const std::string &node, std::uint64_t address)
	: fd_(open(node.c_str(), O_RDWR | O_CLOEXEC)), address_(address)
{
	check(fd_ < 0 ? -errno : 0, "open");
	drm_oac_context_create context = {};
	check(call(DRM_IOCTL_OAC_CONTEXT_CREATE, &context), "context");
	context_ = context.context;

	drm_oac_bo_create memory = {};
	memory.size = size;
	check(call(DRM_IOCTL_OAC_BO_CREATE, &memory), "memory");
	handle_ = memory.handle;
	mmap_offset_ = memory.mmap_offset;
	void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
			    static_cast<off_t>(mmap_offset_));
	check(mapped == MAP_FAILED ? -errno : 0, "mmap");
	memory_ = static_cast<std::byte *>(mapped);
	check(map(handle_, address_, size), "map");
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

int raw_client::map(std::uint32_t handle, std::uint64_t address, std::uint64_t length)
{
	drm_oac_map map = {};

	map.context = context_;
	map.handle = handle;
	map.va = address;
	map.size = length;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	return call(DRM_IOCTL_OAC_MAP, &map);
}

int raw_client::export_memory(int *dma_buf)
{
	drm_prime_handle prime = { handle_, DRM_CLOEXEC | DRM_RDWR, -1 };
	int result = call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

	*dma_buf = prime.fd;
	return result;
}

int raw_client::import_memory(int dma_buf, std::uint32_t *handle)
{
	drm_prime_handle prime = { 0, 0, dma_buf };
	int result = call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	*handle = prime.handle;
	return result;
}

static drm_oac_info_device device_info(raw_client &client)
{
	drm_oac_info_device device = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_DEVICE;
	get.stride = sizeof(device);
	get.count = 1;
	get.data = reinterpret_cast<std::uintptr_t>(&device);
	check(client.call(DRM_IOCTL_OAC_INFO_GET, &get), "info");
	return device;
}

std::uint64_t raw_client::features()
{
	return device_info(*this).driver_features;
}

std::uint32_t raw_client::contexts_of_card()
{
	return device_info(*this).contexts;
}

int raw_client::create_queue(std::uint32_t flags)
{
	drm_oac_queue_create request = {};

	request.context = context_;
	request.depth_log2 = depth_log2;
	request.sq_va = address_;
	request.cq_va = address_ + 2 * page;
	request.tail_va = address_ + 3 * page;
	request.priority = 1;
	request.flags = flags;
	if (int result = call(DRM_IOCTL_OAC_QUEUE_CREATE, &request); result < 0)
		return result;
	queue_ = request.queue;
	doorbell_offset_ = request.doorbell_offset;
	if (flags & DRM_OAC_QUEUE_KERNEL_SUBMIT)
		return 0;
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

void raw_client::write_copy(std::uint32_t index, std::uint32_t tag, std::uint64_t to,
			    std::uint64_t from, std::uint64_t length)
{
	raw_command command = {};

	command.opcode = opcode_copy;
	command.tag = tag;
	command.words[0] = from;
	command.words[1] = to;
	command.words[2] = length;	/* of the one row */
	command.words[5] = 1;		/* rows */
	store(memory_, index, command);
}

void raw_client::write_wait(std::uint32_t index, std::uint32_t tag, std::uint64_t address,
			    std::uint64_t value)
{
	raw_command command = {};

	command.opcode = opcode_wait;
	command.tag = tag;
	command.words[0] = address;
	command.words[1] = value;
	store(memory_, index, command);
}

void raw_client::ring_doorbell(std::uint32_t tail)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!doorbell_) {
		drm_oac_queue_submit submit = { queue_, DRM_OAC_SUBMIT_TAIL, tail, 0 };

		check(call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &submit), "submit");
		return;
	}
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

drm_oac_queue_wait raw_client::wait_for(std::uint32_t count)
{
	drm_oac_queue_wait now = wait(0);

	while (now.completed < count && now.state == 0) {
		const std::uint32_t before = now.completed;

		now = wait(before);
		if (now.completed == before)
			break;
	}
	return now;
}

} // namespace isolation
