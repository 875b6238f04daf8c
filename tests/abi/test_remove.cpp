// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The driver is taken off the card while programs use it. Runs only where OAC_TEST_UNBIND is set:
// everybody's work on the card ends.
#include "device.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace oac::abi;

class remove_driver : public queue_test
{
protected:
	void SetUp() override
	{
		if (!std::getenv("OAC_TEST_UNBIND"))
			GTEST_SKIP() << "OAC_TEST_UNBIND is not set";
		queue_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		struct stat node = {};
		ASSERT_EQ(fstat(dev().fd(), &node), 0);
		const std::string number = std::to_string(major(node.st_rdev)) + ':' +
					   std::to_string(minor(node.st_rdev));
		address_ =
			std::filesystem::canonical("/sys/dev/char/" + number + "/device").filename();
	}

	void TearDown() override
	{
		if (!is_unbound_)
			return;
		write_driver("bind");
		const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
		while (!find_node() && std::chrono::steady_clock::now() < end)
			usleep(10000);
		EXPECT_TRUE(find_node());
	}

	void unbind()
	{
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
	const mapping bell(dev(), made.doorbell_offset, page);
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
	submit(bell, 0, OAC_CMD_NOP);

	std::thread waiter([&] {
		drm_oac_queue_wait wait = {};

		wait.queue = made.queue;
		wait.seen = 1;
		wait.deadline_ns = deadline_ms(60000);
		wait.completed = 77;
		EXPECT_EQ(dev()(wait), ENODEV);
		EXPECT_EQ(wait.completed, 1u);
	});
	usleep(200000);
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
	*bell.at<std::uint32_t>(OAC_DB_SQ_TAIL) = 99;
	EXPECT_EQ(*bell.at<std::uint32_t>(OAC_DB_SQ_TAIL), 99u);
}

TEST_F(remove_driver, under_load)
{
	std::vector<std::thread> threads;
	std::atomic<unsigned> rounds = 0;
	const auto made = make_queue();
	const mapping bell(dev(), made.doorbell_offset, page);

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
			}
		});
	}
	threads.emplace_back([&] {
		for (std::uint32_t count = 0;; count++) {
			drm_oac_queue_wait wait = {};

			submit(bell, count, OAC_CMD_NOP);
			wait.queue = made.queue;
			wait.seen = count;
			wait.deadline_ns = deadline_ms(60000);
			const int err = dev()(wait);
			if (err) {
				EXPECT_EQ(err, ENODEV);
				return;
			}
		}
	});
	while (rounds < 20)
		usleep(1000);
	unbind();
	for (auto &one : threads)
		one.join();
}
