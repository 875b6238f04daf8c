// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace oac::abi
{

namespace
{

bool is_oac(int fd)
{
	char name[16] = {};
	drm_version version = {};

	version.name = name;
	version.name_len = sizeof(name) - 1;
	return ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && std::strcmp(name, "oac") == 0;
}

} // namespace

std::vector<std::string> find_nodes()
{
	std::vector<std::string> all;

	for (const char *folder : { "/dev/accel", "/dev/dri" }) {
		std::error_code error;

		for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
			const std::string name = entry.path().filename();

			if (name.rfind("accel", 0) != 0 && name.rfind("renderD", 0) != 0)
				continue;
			node candidate(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
			if (candidate.fd() >= 0 && is_oac(candidate.fd()))
				all.push_back(entry.path());
		}
	}
	std::sort(all.begin(), all.end());
	return all;
}

std::optional<std::string> find_node()
{
	const auto all = find_nodes();

	return all.empty() ? std::nullopt : std::optional(all.front());
}

node::~node()
{
	if (fd_ >= 0)
		close(fd_);
}

int node::call(unsigned long request, void *arg) const
{
	return ioctl(fd_, request, arg) == 0 ? 0 : errno;
}

int node::operator()(drm_oac_info_get &arg) const
{
	return call(DRM_IOCTL_OAC_INFO_GET, &arg);
}

int node::operator()(drm_oac_context_create &arg) const
{
	return call(DRM_IOCTL_OAC_CONTEXT_CREATE, &arg);
}

int node::operator()(drm_oac_context_destroy &arg) const
{
	return call(DRM_IOCTL_OAC_CONTEXT_DESTROY, &arg);
}

int node::operator()(drm_oac_bo_create &arg) const
{
	return call(DRM_IOCTL_OAC_BO_CREATE, &arg);
}

int node::operator()(drm_oac_bo_userptr &arg) const
{
	return call(DRM_IOCTL_OAC_BO_USERPTR, &arg);
}

int node::operator()(drm_oac_map &arg) const
{
	return call(DRM_IOCTL_OAC_MAP, &arg);
}

int node::operator()(drm_oac_unmap &arg) const
{
	return call(DRM_IOCTL_OAC_UNMAP, &arg);
}

int node::operator()(drm_oac_queue_create &arg) const
{
	return call(DRM_IOCTL_OAC_QUEUE_CREATE, &arg);
}

int node::operator()(drm_oac_queue_destroy &arg) const
{
	return call(DRM_IOCTL_OAC_QUEUE_DESTROY, &arg);
}

int node::operator()(drm_oac_queue_wait &arg) const
{
	return call(DRM_IOCTL_OAC_QUEUE_WAIT, &arg);
}

int node::operator()(drm_oac_queue_eventfd &arg) const
{
	return call(DRM_IOCTL_OAC_QUEUE_EVENTFD, &arg);
}

int node::operator()(drm_oac_firmware_load &arg) const
{
	return call(DRM_IOCTL_OAC_FIRMWARE_LOAD, &arg);
}

int node::operator()(drm_gem_close &arg) const
{
	return call(DRM_IOCTL_GEM_CLOSE, &arg);
}

std::uint32_t node::context() const
{
	drm_oac_context_create create = {};

	EXPECT_EQ((*this)(create), 0);
	EXPECT_NE(create.context, 0u);
	return create.context;
}

std::uint32_t node::buffer(std::uint64_t size, std::uint64_t *mmap_offset) const
{
	drm_oac_bo_create create = {};

	create.size = size;
	EXPECT_EQ((*this)(create), 0);
	EXPECT_NE(create.handle, 0u);
	if (mmap_offset)
		*mmap_offset = create.mmap_offset;
	return create.handle;
}

drm_oac_info_device node::info() const
{
	drm_oac_info_device device = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_DEVICE;
	get.stride = sizeof(device);
	get.count = 1;
	get.data = reinterpret_cast<std::uintptr_t>(&device);
	EXPECT_EQ((*this)(get), 0);
	EXPECT_EQ(get.count, 1u);
	return device;
}

mapping::mapping(const node &on, std::uint64_t offset, std::size_t size) : size_(size)
{
	base_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, on.fd(),
		     static_cast<off_t>(offset));
}

mapping::~mapping()
{
	if (is_valid())
		munmap(base_, size_);
}

bool mapping::is_valid() const
{
	return base_ != MAP_FAILED;
}

bell::bell(const node &on, const drm_oac_queue_create &made) : on_(on), queue_(made.queue)
{
	if (!(made.flags & DRM_OAC_QUEUE_KERNEL_SUBMIT))
		page_.emplace(on, made.doorbell_offset, page);
}

int bell::ring(std::uint32_t tail) const
{
	drm_oac_queue_submit arg = { queue_, DRM_OAC_SUBMIT_TAIL, tail, 0 };

	if (!page_)
		return on_.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &arg);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*page_->at<std::uint32_t>(OAC_DB_SQ_TAIL) = tail;
	return 0;
}

int bell::arm(std::uint32_t seen)
{
	drm_oac_queue_submit arg = { queue_, DRM_OAC_SUBMIT_ARM, 0, seen };

	if (!page_)
		return on_.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &arg);
	*page_->at<std::uint64_t>(OAC_DB_ARM) = std::uint64_t{ ++arms_ } << OAC_DB_ARM_SEQ_SHIFT |
						seen;
	return 0;
}

void device_test::SetUp()
{
	const auto path = find_node();

	if (!path)
		GTEST_SKIP() << "no oac device node";
	path_ = *path;
	open_device();
	ASSERT_GE(dev_->fd(), 0);
	ASSERT_EQ(dev_->info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
}

void device_test::open_device()
{
	dev_.emplace(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
}

node device_test::open() const
{
	return node(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
}

void queue_test::SetUp()
{
	std::uint64_t offset = 0;

	device_test::SetUp();
	if (IsSkipped() || HasFatalFailure())
		return;
	context_ = dev().context();
	handle_ = dev().buffer(ring_size, &offset);
	rings_.emplace(dev(), offset, ring_size);
	ASSERT_TRUE(rings_->is_valid());
	drm_oac_map map = {};
	map.context = context_;
	map.handle = handle_;
	map.va = va;
	map.size = ring_size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	ASSERT_EQ(dev()(map), 0);
}

bool queue_test::has_user_submission() const
{
	return dev().info().driver_features & DRM_OAC_FEATURE_USER_SUBMIT;
}

drm_oac_queue_create queue_test::good_queue() const
{
	drm_oac_queue_create create = {};

	create.context = context_;
	create.depth_log2 = depth_log2;
	create.sq_va = sq_va;
	create.cq_va = cq_va;
	create.tail_va = tail_va;
	create.priority = OAC_PRIORITY_NORMAL;
	create.flags = has_user_submission() ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT;
	return create;
}

drm_oac_queue_create queue_test::make_queue_on(const node &other, std::uint32_t flags) const
{
	drm_oac_queue_create create = good_queue();
	drm_oac_map map = {};
	std::uint64_t offset = 0;

	map.context = create.context = other.context();
	map.handle = other.buffer(ring_size, &offset);
	map.va = va;
	map.size = ring_size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	create.flags |= flags;
	EXPECT_EQ(other(map), 0);
	EXPECT_EQ(other(create), 0);
	return create;
}

drm_oac_queue_create queue_test::make_queue() const
{
	drm_oac_queue_create create = good_queue();

	std::memset(const_cast<char *>(rings_->at<char>()), 0, ring_size);
	EXPECT_EQ(dev()(create), 0);
	EXPECT_NE(create.queue, 0u);
	EXPECT_EQ(create.doorbell_offset == 0, create.flags == DRM_OAC_QUEUE_KERNEL_SUBMIT);
	return create;
}

int queue_test::submit(const bell &bell, std::uint32_t count, std::uint8_t opcode) const
{
	const std::size_t slot = count & ((1u << depth_log2) - 1);
	oac_cmd cmd = {};

	cmd.opcode = opcode;
	cmd.tag = count;
	std::memcpy(const_cast<char *>(rings_->at<char>(slot * sizeof(cmd))), &cmd, sizeof(cmd));
	return bell.ring(count + 1);
}

std::vector<char> firmware_image()
{
	const char *path = std::getenv("OAC_TEST_FIRMWARE");
	std::ifstream file(path ? path : "/lib/firmware/oac/oac1.fw", std::ios::binary);

	return { std::istreambuf_iterator<char>(file), {} };
}

unsigned slowness()
{
	const char *const text = std::getenv("OAC_TEST_SLOW");
	const long factor = text ? std::strtol(text, nullptr, 10) : 1;

	if (factor < 1 || factor > 1000)
		throw std::invalid_argument("OAC_TEST_SLOW: a whole number from 1 to 1000");
	return static_cast<unsigned>(factor);
}

std::uint64_t queue_test::deadline_ms(unsigned from_now) const
{
	timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1000000000ull +
	       static_cast<std::uint64_t>(now.tv_nsec) +
	       std::uint64_t{ from_now } * slowness() * 1000000ull;
}

} // namespace oac::abi
