// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Two processes on one card behind the kernel driver, one of which tells the other every number it
// has: neither can read, write, map, wait on, import or kill what is the other's.
#include "fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.hpp"
#include "raw_client.hpp"

namespace
{

using isolation::peer;
using isolation::raw_client;

constexpr std::uint32_t state_running = 0, state_error = 1;

class process_test : public isolation::isolation_test
{
protected:
	void SetUp() override
	{
		isolation_test::SetUp();
		if (HasFatalFailure())
			return;
		if (!on_kernel())
			GTEST_SKIP() << "needs the kernel driver; this card is "
				     << string(ACCEL_STRING_NAME);
		node_ = string(ACCEL_STRING_NODE);
		peer_.emplace(node_);
		mine_.emplace(node_);
		features_ = mine_->features();
		ASSERT_EQ(mine_->create_queue(queue_flags()), 0);
	}

	void TearDown() override
	{
		mine_.reset();
		peer_.reset();
		isolation_test::TearDown();
	}

	std::uint32_t queue_flags() const
	{
		return features_ & DRM_OAC_FEATURE_USER_SUBMIT ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT;
	}

	raw_client &mine() { return *mine_; }
	peer &other() { return *peer_; }
	const peer::secrets &theirs() const { return peer_->knows(); }

	/// Runs what is in entry 0 of my ring; my queue's state then.
	std::uint32_t run_one()
	{
		mine().ring_doorbell(1);
		return mine().wait_for(1).state;
	}

	/// The driver takes a dead process's contexts away in its own time.
	bool contexts_become(std::uint32_t count)
	{
		const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);

		while (mine().contexts_of_card() != count) {
			if (std::chrono::steady_clock::now() > end)
				return false;
			std::this_thread::yield();
		}
		return true;
	}

	std::string node_;
	std::uint64_t features_ = 0;
	std::optional<peer> peer_;
	std::optional<raw_client> mine_;
};

/* A file with nothing in it: whatever id works there is somebody else's. */
class empty_file
{
public:
	explicit empty_file(const std::string &node) : fd_(open(node.c_str(), O_RDWR | O_CLOEXEC))
	{
	}
	~empty_file() { close(fd_); }
	empty_file(const empty_file &) = delete;
	empty_file &operator=(const empty_file &) = delete;

	int fd() const { return fd_; }
	int call(unsigned long request, void *arg) const
	{
		return ioctl(fd_, request, arg) == 0 ? 0 : errno;
	}

private:
	int fd_;
};

TEST_F(process_test, ids_of_contexts_and_queues_mean_nothing)
{
	const empty_file file(node_);
	const int event = eventfd(0, EFD_CLOEXEC);

	for (std::uint32_t id = 0; id < 100; id++) {
		drm_oac_context_destroy context = { id, 0 };
		drm_oac_unmap unmap = { id, 0, theirs().address, theirs().size };
		drm_oac_queue_destroy queue = { id, 0 };
		drm_oac_queue_wait wait = {};
		drm_oac_queue_eventfd listen = { id, event };
		drm_oac_queue_submit submit = { id, DRM_OAC_SUBMIT_TAIL, 1, 0 };
		drm_oac_queue_create create = {};

		create.context = wait.queue = id;
		create.depth_log2 = 4;
		create.sq_va = theirs().address;
		create.cq_va = theirs().address + 2 * raw_client::page;
		create.tail_va = theirs().address + 3 * raw_client::page;
		create.flags = queue_flags();
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_CONTEXT_DESTROY, &context), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_UNMAP, &unmap), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_QUEUE_CREATE, &create), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_QUEUE_DESTROY, &queue), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_QUEUE_WAIT, &wait), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_QUEUE_EVENTFD, &listen), ENOENT) << id;
		EXPECT_EQ(file.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &submit), ENOENT) << id;
	}
	close(event);
	EXPECT_EQ(other().check(), "");
}

TEST_F(process_test, handles_of_buffers_and_fences_mean_nothing)
{
	const empty_file file(node_);

	for (std::uint32_t id = 0; id < 100; id++) {
		drm_gem_close gem = { id, 0 };
		drm_prime_handle prime = { id, DRM_CLOEXEC | DRM_RDWR, -1 };
		drm_syncobj_handle sync = { id, 0, -1, 0 };
		drm_syncobj_destroy destroy = { id, 0 };
		drm_oac_queue_fence fence = {};
		drm_oac_sync_store store = {};

		fence.queue = fence.syncobj = store.syncobj = store.handle = id;
		EXPECT_EQ(file.call(DRM_IOCTL_GEM_CLOSE, &gem), EINVAL) << id;
		EXPECT_NE(file.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0) << id;
		EXPECT_EQ(prime.fd, -1) << id;
		EXPECT_NE(file.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &sync), 0) << id;
		EXPECT_NE(file.call(DRM_IOCTL_SYNCOBJ_DESTROY, &destroy), 0) << id;
		EXPECT_NE(file.call(DRM_IOCTL_OAC_QUEUE_FENCE, &fence), 0) << id;
		EXPECT_NE(file.call(DRM_IOCTL_OAC_SYNC_STORE, &store), 0) << id;
		if (id == mine().handle())
			continue;
		EXPECT_EQ(mine().map(id, 0x10000000, raw_client::page), -ENOENT) << id;
	}
	EXPECT_EQ(other().check(), "");
}

TEST_F(process_test, memory_and_doorbells_cannot_be_mapped)
{
	const empty_file file(node_);

	for (std::uint64_t offset : { theirs().mmap_offset, theirs().doorbell_offset }) {
		for (int fd : { file.fd(), mine().fd() }) {
			if (offset == 0 || offset == mine().doorbell_offset())
				continue;
			for (int protection : { PROT_READ, PROT_READ | PROT_WRITE }) {
				void *at = mmap(nullptr, raw_client::page, protection, MAP_SHARED,
						fd, static_cast<off_t>(offset));
				EXPECT_EQ(at, MAP_FAILED) << std::hex << offset;
			}
		}
	}
	EXPECT_EQ(other().check(), "");
}

TEST_F(process_test, the_card_does_not_write_it_for_me)
{
	mine().write_fill(0, 1, theirs().address + 8 * raw_client::page, 64);
	EXPECT_EQ(run_one(), state_error);
	EXPECT_EQ(other().check(), "");
}

TEST_F(process_test, the_card_does_not_read_it_for_me)
{
	mine().write_copy(0, 1, raw_client::base + 8 * raw_client::page,
			  theirs().address + 8 * raw_client::page, 64);
	EXPECT_EQ(run_one(), state_error);
	for (std::byte one : mine().memory().subspan(8 * raw_client::page, 64))
		EXPECT_EQ(one, std::byte{ 0 });
	EXPECT_EQ(other().check(), "");
}

TEST_F(process_test, a_queue_cannot_have_its_rings_there)
{
	drm_oac_queue_create create = {};

	create.context = mine().context();
	create.depth_log2 = 4;
	create.sq_va = theirs().address;
	create.cq_va = theirs().address + 2 * raw_client::page;
	create.tail_va = theirs().address + 3 * raw_client::page;
	create.flags = queue_flags();
	EXPECT_EQ(mine().call(DRM_IOCTL_OAC_QUEUE_CREATE, &create), -EINVAL);
	EXPECT_EQ(other().check(), "");
}

/* The same test as those above, the other way: the addresses are right, and it works if allowed. */
TEST_F(process_test, a_dma_buf_handed_over_is_the_only_way_in)
{
	constexpr std::uint64_t window = 0x20000000;
	std::uint32_t handle = 0;

	if (!(features_ & DRM_OAC_FEATURE_DMABUF))
		GTEST_SKIP() << "DRM_OAC_FEATURE_DMABUF is missing";
	/* Its number alone is nothing. */
	ASSERT_GE(theirs().dma_buf, 0);
	for (int fd = 200; fd < 210; fd++)
		EXPECT_EQ(mine().import_memory(fd, &handle), -EBADF);
	const int fd = other().borrow();
	ASSERT_GE(fd, 0);
	ASSERT_EQ(mine().import_memory(fd, &handle), 0);
	close(fd);
	ASSERT_EQ(mine().map(handle, window, theirs().size), 0);
	mine().write_copy(0, 1, raw_client::base + 8 * raw_client::page,
			  window + 8 * raw_client::page, 64);
	EXPECT_EQ(run_one(), state_running);
	std::uint64_t word = 0;
	std::memcpy(&word, mine().memory().data() + 8 * raw_client::page, sizeof(word));
	EXPECT_EQ(word, isolation::secret);
	EXPECT_EQ(other().check(), "");
	/* It stays mine when its maker dies. */
	other().kill();
	mine().write_copy(1, 2, raw_client::base + 9 * raw_client::page,
			  window + 9 * raw_client::page, 64);
	mine().ring_doorbell(2);
	EXPECT_EQ(mine().wait_for(2).completed, 2u);
	EXPECT_EQ(mine().wait(0).state, state_running);
	std::memcpy(&word, mine().memory().data() + 9 * raw_client::page, sizeof(word));
	EXPECT_EQ(word, isolation::secret);
}

TEST_F(process_test, garbage_ends_its_own_queue_only)
{
	other().misbehave();
	mine().write_fill(0, 1, raw_client::base + 8 * raw_client::page, 64);
	EXPECT_EQ(run_one(), state_running);
	/* It is in error now, and the driver says so, not this test. */
	EXPECT_NE(other().check(), "");
	peer next(node_);
	EXPECT_EQ(next.check(), "");
}

TEST_F(process_test, a_process_that_hangs_stops_nobody_and_can_be_killed)
{
	const std::uint32_t before = mine().contexts_of_card();

	other().hang();
	mine().write_fill(0, 1, raw_client::base + 8 * raw_client::page, 64);
	EXPECT_EQ(run_one(), state_running);
	EXPECT_EQ(neighbour_->check(), "");
	other().kill();
	EXPECT_TRUE(contexts_become(before - 1)) << mine().contexts_of_card();
	EXPECT_EQ(mine().wait(0).state, state_running);
}

TEST_F(process_test, killed_ones_leave_nothing_and_disturb_nobody)
{
	const std::uint32_t before = mine().contexts_of_card();

	for (std::uint32_t i = 0; i < 10; i++) {
		peer victim(node_);

		EXPECT_EQ(mine().contexts_of_card(), before + 1);
		if (i % 3 == 0)
			victim.misbehave();
		else if (i % 3 == 1)
			victim.hang();
		victim.kill();
		ASSERT_TRUE(contexts_become(before)) << mine().contexts_of_card();
		mine().write_fill(i, i + 1, raw_client::base + 8 * raw_client::page, 64);
		mine().ring_doorbell(i + 1);
		ASSERT_EQ(mine().wait_for(i + 1).completed, i + 1);
		ASSERT_EQ(mine().wait(0).state, state_running);
	}
	EXPECT_EQ(other().check(), "");
}

/* Totals are for all; who has what is for the same user. */
TEST_F(process_test, another_user_does_not_see_who_is_there)
{
	constexpr uid_t nobody = 65534;

	if (geteuid() != 0)
		GTEST_SKIP() << "needs root to become another user";
	const pid_t child = fork();
	if (child == 0) {
		const empty_file file(node_);
		drm_oac_info_client clients[16] = {};
		drm_oac_info_get get = {};
		std::uint32_t foreign = 0;

		get.topic = DRM_OAC_INFO_CLIENTS;
		get.stride = sizeof(clients[0]);
		get.count = std::size(clients);
		get.data = reinterpret_cast<std::uintptr_t>(clients);
		if (setresuid(nobody, nobody, nobody) != 0)
			_exit(2);
		if (file.call(DRM_IOCTL_OAC_INFO_GET, &get) != 0)
			_exit(3);
		for (std::uint32_t i = 0; i < get.count; i++)
			foreign += clients[i].uid != nobody && clients[i].pid != getpid();
		_exit(foreign ? 4 : 0);
	}
	int status = 0;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_TRUE(WIFEXITED(status)) << status;
	EXPECT_EQ(WEXITSTATUS(status), 0) << "2: no setuid, 3: no list, 4: sees others";
}

} // namespace
