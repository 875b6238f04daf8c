// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The driver is taken off the card while programs use it. Runs only where OAC_TEST_UNBIND is set:
// everybody's work on the card ends.
#include "objects.hpp"
#include "recovery.hpp"

#include "../support/asleep.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sync_file.h>

using namespace oac::abi;

class remove_driver : public fenced_test
{
protected:
	void SetUp() override
	{
		if (!std::getenv("OAC_TEST_UNBIND"))
			GTEST_SKIP() << "OAC_TEST_UNBIND is not set";
		fenced_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		nodes_ = find_nodes().size();
	}

	void TearDown() override
	{
		if (!is_unbound_)
			return;
		/* Returns when the driver has the card, and devtmpfs its node. */
		write_driver("bind");
		EXPECT_EQ(find_nodes().size(), nodes_);
	}

	void unbind() { unbind(path()); }
	void unbind(const std::string &node)
	{
		address_ = pci_address(node);
		is_unbound_ = true;
		write_driver("unbind");
	}

private:
	void write_driver(const char *what) const
	{
		std::ofstream file(std::string("/sys/bus/pci/drivers/oac/") + what);

		file << address_ << std::flush;
		EXPECT_TRUE(file.good()) << what;
	}

	std::size_t nodes_ = 0;
	std::string address_;
	bool is_unbound_ = false;
};

TEST_F(remove_driver, ends_calls_and_keeps_memory)
{
	const node event(eventfd(0, EFD_CLOEXEC));
	std::uint64_t offset = 0;
	const std::uint32_t handle = dev().buffer(4 * page, &offset);
	const mapping memory(dev(), offset, 4 * page);
	const auto made = make_queue();
	const bell bell(dev(), made);
	drm_oac_queue_eventfd arm = { made.queue, event.fd() };
	drm_oac_map map = {};

	ASSERT_TRUE(memory.is_valid() && bell.is_valid());
	ASSERT_EQ(dev()(arm), 0);
	map.context = context_;
	map.handle = handle;
	map.va = 1 << 30;
	map.size = 4 * page;
	map.flags = DRM_OAC_MAP_READ;
	ASSERT_EQ(dev()(map), 0);
	*memory.at<std::uint32_t>(page) = 42;
	ASSERT_EQ(submit(bell, 0, OAC_CMD_NOP), 0);

	std::atomic<pid_t> waiting{ 0 };
	std::thread waiter([&] {
		drm_oac_queue_wait wait = {};

		waiting = gettid();
		waiting.notify_one();
		wait.queue = made.queue;
		wait.seen = 1;
		wait.deadline_ns = deadline_ms(60000);
		wait.completed = 77;
		EXPECT_EQ(dev()(wait), ENODEV);
		EXPECT_EQ(wait.completed, 1u);
	});
	waiting.wait(0);
	EXPECT_TRUE(support::wait_until_asleep(waiting));
	unbind();
	waiter.join();

	drm_oac_context_create create = {};
	EXPECT_EQ(dev()(create), ENODEV);
	drm_oac_info_get info = {};
	info.topic = DRM_OAC_INFO_DEVICE;
	EXPECT_EQ(dev()(info), ENODEV);
	EXPECT_FALSE(mapping(dev(), offset, page).is_valid());
	EXPECT_EQ(errno, ENODEV);
	EXPECT_EQ(*memory.at<std::uint32_t>(page), 42u);
	*memory.at<std::uint32_t>(3 * page) = 43;
	EXPECT_EQ(*memory.at<std::uint32_t>(3 * page), 43u);
	EXPECT_EQ(bell.ring(99), bell.mapped() ? 0 : ENODEV);
	if (bell.mapped()) {
		EXPECT_EQ(*bell.mapped()->at<std::uint32_t>(OAC_DB_SQ_TAIL), 99u);
	}
}

/* Every kind of memory is mapped to the card, by the process, or both. */
TEST_F(remove_driver, memory_of_every_kind_lets_go)
{
	constexpr std::size_t size = 16 * page;
	std::uint64_t offset = 0;
	auto *own = static_cast<char *>(
		mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	drm_oac_bo_userptr user = {};

	ASSERT_NE(own, MAP_FAILED);
	user.addr = reinterpret_cast<std::uintptr_t>(own);
	user.size = size;
	ASSERT_EQ(dev()(user), 0);
	ASSERT_EQ(map(user.handle, 1 << 28, size), 0);
	drm_prime_handle prime = {};
	prime.handle = handle_;
	prime.flags = DRM_RDWR;
	ASSERT_EQ(dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	const node shared(prime.fd);
	/* The other card's memory, mapped to this one: it must be let go though the buffer lives. */
	drm_prime_handle import = {};
	const auto nodes = find_nodes();
	const std::string &second_path = nodes.back();
	const node second(::open(second_path.c_str(), O_RDWR | O_CLOEXEC));
	if (nodes.size() > 1) {
		prime.handle = second.buffer(size);
		ASSERT_EQ(second.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
		import.fd = prime.fd;
		ASSERT_EQ(dev().call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &import), 0);
		ASSERT_EQ(map(import.handle, 2 << 28, size), 0);
	}
	const bool is_local = has_local();
	const std::uint32_t local = is_local ? local_buffer(size, &offset) : 0;
	std::optional<mapping> window, untouched;
	std::int32_t local_fd = -1;
	void *by_fd = MAP_FAILED;
	if (is_local) {
		window.emplace(dev(), offset, size);
		untouched.emplace(dev(), offset, size);
		ASSERT_EQ(map(local, 3 << 28, size), 0);
		drm_prime_handle out = {};
		out.handle = local;
		out.flags = DRM_RDWR;
		ASSERT_EQ(dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &out), 0);
		local_fd = out.fd;
		by_fd = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, local_fd, 0);
		ASSERT_NE(by_fd, MAP_FAILED);
		*window->at<std::uint32_t>(page) = 42;
		ASSERT_EQ(*static_cast<volatile std::uint32_t *>(by_fd), 0u);
		ASSERT_EQ(*reinterpret_cast<volatile std::uint32_t *>(static_cast<char *>(by_fd) +
								      page),
			  42u);
	}
	unbind();
	own[0] = 1;
	void *view = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd(), 0);
	EXPECT_NE(view, MAP_FAILED) << "an exported buffer outlives its card";
	*static_cast<volatile char *>(view) = 1;
	munmap(view, page);
	if (is_local) {
		/* Plain memory, the same wherever this buffer is mapped, and no SIGBUS. */
		EXPECT_EQ(*window->at<std::uint32_t>(page), 0u);
		*window->at<std::uint32_t>(page) = 7;
		EXPECT_EQ(*untouched->at<std::uint32_t>(page), 7u);
		EXPECT_EQ(*reinterpret_cast<volatile std::uint32_t *>(static_cast<char *>(by_fd) +
								      page),
			  7u);
		munmap(by_fd, size);
		close(local_fd);
	}
	drm_oac_bo_userptr late = user;
	EXPECT_EQ(dev()(late), ENODEV);
	drm_oac_bo_create bo = {};
	bo.size = page;
	EXPECT_EQ(dev()(bo), ENODEV);
	if (nodes.size() > 1)
		close(prime.fd);
	munmap(own, size);
}

/* The sync_file is looked at when the card is gone, and dropped last. */
TEST_F(remove_driver, ends_fences_and_their_stores)
{
	const auto made = make_kernel_queue();
	const std::uint32_t obj = syncobj(), done = syncobj();
	std::uint64_t offset = 0;
	const std::uint32_t handle = dev().buffer(page, &offset);
	const mapping memory(dev(), offset, page);

	ASSERT_TRUE(memory.is_valid());
	ASSERT_EQ(fence(made.queue, 0, done), 0);
	ASSERT_EQ(fence(made.queue, 1, obj), 0);
	ASSERT_EQ(store(obj, handle, 0, 7), 0);
	*memory.at<std::uint64_t>() = 5;
	const node file(sync_file(obj));
	pollfd poll_for = { file.fd(), POLLIN, 0 };
	sync_file_info info = {};
	EXPECT_EQ(poll(&poll_for, 1, 20), 0);
	unbind();
	EXPECT_EQ(poll(&poll_for, 1, 0), 1);
	ASSERT_EQ(file.call(SYNC_IOC_FILE_INFO, &info), 0);
	EXPECT_EQ(info.status, -ENODEV);
	EXPECT_EQ(*memory.at<std::uint64_t>(), 5u);
	EXPECT_EQ(ring(made.queue, 1), ENODEV);
	EXPECT_EQ(fence(made.queue, 1, obj), ENODEV);
}

/* A card that goes takes its memory back from the others. */
TEST_F(remove_driver, peers_lose_its_memory)
{
	constexpr std::uint64_t at = 1 << 30, size = 16 * page;
	const auto nodes = find_nodes();
	drm_oac_bo_create bo = {};
	drm_prime_handle prime = {};

	if (!has_local() || !(dev().info().driver_features & DRM_OAC_FEATURE_PEER))
		GTEST_SKIP() << "no path between cards: DRM_OAC_FEATURE_PEER is missing";
	const node second(::open(nodes.back().c_str(), O_RDWR | O_CLOEXEC));
	bo.size = size;
	bo.flags = DRM_OAC_BO_LOCAL;
	ASSERT_EQ(second(bo), 0);
	prime.handle = bo.handle;
	prime.flags = DRM_RDWR;
	ASSERT_EQ(second.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	const node held(prime.fd);
	ASSERT_EQ(dev().call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime), 0);
	ASSERT_EQ(map(prime.handle, at, size), 0);
	ASSERT_EQ(fill(at, size, 1), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	unbind(nodes.back());
	EXPECT_EQ(fill(at, size, 2), static_cast<std::uint32_t>(OAC_ST_ACCESS_FAULT));
	EXPECT_EQ(map(prime.handle, 2 * at, page), ESTALE);
	const node other = open();
	drm_prime_handle late = {};
	late.fd = held.fd();
	EXPECT_EQ(other.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &late), ENODEV);
	EXPECT_EQ(unmap(at, size), 0);
}

TEST_F(remove_driver, under_load)
{
	std::vector<std::thread> threads;
	std::atomic<unsigned> rounds = 0;
	const auto made = make_queue();
	const bell bell(dev(), made);

	/* Two that make and break, one that submits and waits. */
	for (unsigned i = 0; i < 2; i++) {
		threads.emplace_back([&] {
			const node own = open();
			drm_oac_context_create create = {};

			while (own(create) == 0) {
				drm_oac_bo_create bo = { 8 * page, 0, 0, 0, 0, 0 };
				drm_oac_map map = {};
				drm_oac_context_destroy destroy = { create.context, 0 };
				drm_gem_close close = {};

				own(bo);
				map.context = create.context;
				map.handle = close.handle = bo.handle;
				map.va = page;
				map.size = 8 * page;
				map.flags = DRM_OAC_MAP_READ;
				own(map);
				own(close);
				own(destroy);
				rounds++;
				rounds.notify_one();
			}
		});
	}
	threads.emplace_back([&] {
		for (std::uint32_t count = 0;; count++) {
			drm_oac_queue_wait wait = {};

			wait.queue = made.queue;
			wait.seen = count;
			wait.deadline_ns = deadline_ms(60000);
			int err = submit(bell, count, OAC_CMD_NOP);
			if (!err)
				err = dev()(wait);
			if (err) {
				EXPECT_EQ(err, ENODEV);
				return;
			}
		}
	});
	for (unsigned now = rounds; now < 20; now = rounds)
		rounds.wait(now);
	unbind();
	for (auto &one : threads)
		one.join();
}

/*
 * Everything that waits for the card's and the driver's own work, all at once: self-tests whose callers
 * stay and whose callers leave, resets alike, contexts and queues that come and go between them, readers
 * of events that sleep and such that come and go. Then the card is taken away.
 */
TEST_F(remove_driver, ends_self_tests_resets_and_readers_of_events)
{
	if (geteuid() != 0)
		GTEST_SKIP() << "resets are for root";
	const std::set<int> passing = { 0, ETIMEDOUT, EHOSTDOWN, ESTALE };
	std::vector<std::thread> threads;
	std::atomic<unsigned> resets = 0, tests = 0, lives = 0;
	const auto loop = [&](auto call, std::atomic<unsigned> &count) {
		threads.emplace_back([&, call] {
			const node own = open();
			int err = 0;

			/* Short and long by turns. */
			for (unsigned i = 0; passing.count(err); i++) {
				err = call(own, i % 3 ? deadline_ms(60000) : deadline_ms(1));
				count += !err;
				count.notify_one();
			}
			EXPECT_EQ(err, ENODEV);
		});
	};
	const auto self_test = [](const node &own, std::uint64_t deadline) {
		drm_oac_self_test arg = {};

		arg.deadline_ns = deadline;
		return own.call(DRM_IOCTL_OAC_SELF_TEST, &arg);
	};
	const auto reset = [](const node &own, std::uint64_t deadline) {
		drm_oac_reset arg = {};

		arg.rung = OAC_RUNG_SOFT_RESET;
		arg.deadline_ns = deadline;
		return own.call(DRM_IOCTL_OAC_RESET, &arg);
	};
	/* What is lost meanwhile can be destroyed all the same. */
	const auto live = [](const node &own, std::uint64_t) {
		drm_oac_context_create create = {};
		const int err = own(create);
		drm_oac_context_destroy destroy = { create.context, 0 };

		return err ? err : own(destroy);
	};
	/* Each on a descriptor that outlives the card, asleep or not. */
	const auto read_all = [&] {
		const event_reader reader(dev(), 0, 0);
		drm_oac_event last = {};

		while (::read(reader.fd(), &last, sizeof(last)) == sizeof(last))
			;
		EXPECT_EQ(last.code, OAC_EVENT_REMOVED);
	};
	const auto come_and_go = [](const node &own, std::uint64_t) {
		drm_oac_events_open arg = {};
		const int err = own.call(DRM_IOCTL_OAC_EVENTS_OPEN, &arg);

		if (!err)
			close(arg.fd);
		return err;
	};

	for (unsigned i = 0; i < 3; i++)
		loop(self_test, tests);
	for (unsigned i = 0; i < 2; i++) {
		loop(reset, resets);
		loop(live, lives);
		loop(come_and_go, lives);
		threads.emplace_back(read_all);
	}
	for (unsigned now = resets; now < 10; now = resets)
		resets.wait(now);
	for (unsigned now = tests; now < 3; now = tests)
		tests.wait(now);
	unbind();
	for (auto &one : threads)
		one.join();
}
