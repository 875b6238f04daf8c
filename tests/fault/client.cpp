// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "client.hpp"

#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace oac::fault
{

namespace
{

constexpr std::uint32_t depth_log2 = 4;
constexpr unsigned wait_s = 60;

} // namespace

std::string pci_address(const abi::node &dev)
{
	struct stat node = {};

	EXPECT_EQ(fstat(dev.fd(), &node), 0);
	return std::filesystem::canonical("/sys/dev/char/" + std::to_string(major(node.st_rdev)) +
					  ':' + std::to_string(minor(node.st_rdev)) + "/device")
		.filename();
}

std::string usage(const abi::node &dev)
{
	const drm_oac_info_device info = dev.info();
	std::ifstream objects("/sys/kernel/debug/oac/" + pci_address(dev) + "/objects");
	std::ostringstream text;

	text << info.contexts << " contexts, " << info.queues << " queues, " << info.lmem_free
	     << " bytes of local memory free\n";
	if (objects)
		text << objects.rdbuf();
	return text.str();
}

const std::vector<char> &firmware()
{
	static const std::vector<char> image = [] {
		std::ifstream file("/lib/firmware/oac/oac1.fw", std::ios::binary);

		return std::vector<char>{ std::istreambuf_iterator<char>(file), {} };
	}();

	return image;
}

client::client(const std::string &path) : dev_(::open(path.c_str(), O_RDWR | O_CLOEXEC))
{
	EXPECT_GE(dev_.fd(), 0) << std::strerror(errno);
}

std::uint32_t client::context()
{
	if (!context_)
		context_ = dev_.context();
	return context_;
}

std::uint32_t client::buffer()
{
	if (!buffer_)
		buffer_ = dev_.buffer(ring_size);
	return buffer_;
}

drm_oac_map client::good_map()
{
	drm_oac_map map = {};

	map.context = context();
	map.handle = buffer();
	map.va = free_va;
	map.size = ring_size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	return map;
}

void client::map_rings()
{
	std::uint64_t offset = 0;

	if (rings_)
		return;
	rings_ = dev_.buffer(ring_size, &offset);
	ring_memory_.emplace(dev_, offset, ring_size);
	ASSERT_TRUE(ring_memory_->is_valid());
	std::memset(const_cast<char *>(ring_memory_->at<char>()), 0, ring_size);
	drm_oac_map map = good_map();
	map.handle = rings_;
	map.va = ring_va;
	ASSERT_EQ(dev_(map), 0);
}

drm_oac_queue_create client::good_queue()
{
	drm_oac_queue_create create = {};

	map_rings();
	create.context = context();
	create.depth_log2 = depth_log2;
	create.sq_va = ring_va;
	create.cq_va = ring_va + page;
	create.tail_va = ring_va + 2 * page;
	create.priority = OAC_PRIORITY_NORMAL;
	return create;
}

std::uint32_t client::queue()
{
	if (!queue_) {
		drm_oac_queue_create create = good_queue();

		EXPECT_EQ(dev_(create), 0);
		queue_ = create.queue;
		doorbell_offset_ = create.doorbell_offset;
	}
	return queue_;
}

void *client::doorbell()
{
	queue();
	if (!doorbell_)
		doorbell_.emplace(dev_, doorbell_offset_, page);
	EXPECT_TRUE(doorbell_->is_valid());
	return const_cast<char *>(doorbell_->at<char>());
}

void client::expect_works()
{
	drm_oac_queue_wait wait = {};
	timespec now = {};
	oac_cmd nop = {};

	wait.queue = queue();
	void *const bell = doorbell();
	if (testing::Test::HasFailure())
		return;
	nop.opcode = OAC_CMD_NOP;
	std::memcpy(const_cast<char *>(ring_memory_->at<char>()), &nop, sizeof(nop));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*reinterpret_cast<volatile std::uint32_t *>(static_cast<char *>(bell) + OAC_DB_SQ_TAIL) = 1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	wait.deadline_ns = (static_cast<std::uint64_t>(now.tv_sec) + wait_s) * 1000000000ull;
	EXPECT_EQ(dev_(wait), 0);
	EXPECT_EQ(wait.completed, 1u);
	EXPECT_EQ(wait.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
}

void client::unmap_all()
{
	ring_memory_.reset();
	doorbell_.reset();
}

} // namespace oac::fault
