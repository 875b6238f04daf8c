// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Every call of the driver, file operations and page faults included.
#include "fail_nth.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace oac;
using fault::client;
using fault::page;

using fail_nth = fault::fail_nth;

namespace
{

using owner = std::unique_ptr<client>;

/* A mapping would keep the file; again if the failure meets this. */
int unmap(void *base)
{
	while (munmap(base, page) != 0)
		if (errno != ENOMEM)
			return errno;
	return 0;
}

/* Where nothing else is mapped: a fault there needs page tables of its own. */
void *map_far(const client &one, std::uint64_t offset)
{
	void *const base = mmap(reinterpret_cast<void *>(1ull << 44), page, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED_NOREPLACE, one.dev().fd(),
				static_cast<off_t>(offset));

	EXPECT_NE(base, MAP_FAILED) << std::strerror(errno);
	return base;
}

/* A page fault without memory is tried again; SIGBUS would end this program. */
int touch_and_unmap(void *base)
{
	*static_cast<volatile std::uint32_t *>(base) = 0;
	return unmap(base);
}

/* mmap() and munmap() as a call: the errno of mmap(). */
int map_and_unmap(int fd, std::uint64_t offset)
{
	void *const base = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				static_cast<off_t>(offset));

	return base == MAP_FAILED ? errno : unmap(base);
}

std::uint64_t in_ms(unsigned ms)
{
	timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1000000000ull +
	       static_cast<std::uint64_t>(now.tv_nsec) + ms * 1000000ull;
}

} // namespace

/* ---- Files ----------------------------------------------------------------------------------- */

TEST_F(fail_nth, open)
{
	fail_each([this](owner &) {
		return [this] {
			const int fd = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
			const int err = fd < 0 ? errno : 0;

			close(fd);
			return err;
		};
	});
}

/* Whatever memory there is not: nothing may stay behind, and close() does not fail. */
TEST_F(fail_nth, close)
{
	fail_each(
		[](owner &one) {
			drm_oac_map map = one->good_map();

			EXPECT_EQ(one->dev()(map), 0);
			one->expect_works();
			one->unmap_all();
			return [&one] {
				one.reset();
				return 0;
			};
		},
		0, 0);
}

/* ---- INFO ------------------------------------------------------------------------------------ */

class fail_nth_info : public fault::fail_nth, public testing::WithParamInterface<std::uint32_t>
{};

TEST_P(fail_nth_info, get)
{
	static char room[64 * 1024];

	fail_each([](owner &one) {
		one->context();
		return [&one] {
			drm_oac_info_get get = {};

			get.topic = GetParam();
			get.stride = 256;
			get.count = 16;
			get.data = reinterpret_cast<std::uintptr_t>(room);
			return one->dev()(get);
		};
	});
}

INSTANTIATE_TEST_SUITE_P(topics, fail_nth_info,
			 testing::Values(DRM_OAC_INFO_DEVICE, DRM_OAC_INFO_SENSORS,
					 DRM_OAC_INFO_COUNTERS, DRM_OAC_INFO_EVENTS,
					 DRM_OAC_INFO_CLIENTS, DRM_OAC_INFO_CONTEXTS,
					 DRM_OAC_INFO_HEALTH, DRM_OAC_INFO_RUNGS));

/* ---- Contexts -------------------------------------------------------------------------------- */

TEST_F(fail_nth, context_create)
{
	fail_each([](owner &one) {
		return [&one] {
			drm_oac_context_create create = {};

			return one->dev()(create);
		};
	});
}

TEST_F(fail_nth, context_destroy)
{
	fail_each([](owner &one) {
		drm_oac_map map = one->good_map();

		EXPECT_EQ(one->dev()(map), 0);
		one->queue();
		return [&one] {
			drm_oac_context_destroy destroy = {};

			destroy.context = one->context();
			return one->dev()(destroy);
		};
	});
}

/* ---- Memory ---------------------------------------------------------------------------------- */

TEST_F(fail_nth, bo_create)
{
	fail_each([](owner &one) {
		return [&one] {
			drm_oac_bo_create create = {};

			create.size = client::ring_size;
			return one->dev()(create);
		};
	});
}

TEST_F(fail_nth, bo_create_local)
{
	if (!has_feature(DRM_OAC_FEATURE_LOCAL_MEMORY))
		GTEST_SKIP() << "no local memory";
	fail_each([](owner &one) {
		return [&one] {
			drm_oac_bo_create create = {};

			create.size = client::ring_size;
			create.flags = DRM_OAC_BO_LOCAL;
			return one->dev()(create);
		};
	});
}

TEST_F(fail_nth, bo_userptr)
{
	alignas(page) static char memory[4 * page];

	if (!has_feature(DRM_OAC_FEATURE_USERPTR))
		GTEST_SKIP() << "no user memory";
	std::memset(memory, 1, sizeof(memory));
	fail_each([](owner &one) {
		return [&one] {
			drm_oac_bo_userptr create = {};

			create.addr = reinterpret_cast<std::uintptr_t>(memory);
			create.size = sizeof(memory);
			return one->dev().call(DRM_IOCTL_OAC_BO_USERPTR, &create);
		};
	});
}

TEST_F(fail_nth, gem_close)
{
	fail_each([](owner &one) {
		one->buffer();
		return [&one] {
			drm_gem_close close = {};

			close.handle = one->buffer();
			return one->dev()(close);
		};
	});
}

TEST_F(fail_nth, bo_mmap)
{
	fail_each([](owner &one) {
		drm_oac_bo_create create = {};

		create.size = page;
		EXPECT_EQ(one->dev()(create), 0);
		return [&one, offset = create.mmap_offset] {
			return map_and_unmap(one->dev().fd(), offset);
		};
	});
}

TEST_F(fail_nth, bo_touch)
{
	fail_each(
		[](owner &one) {
			drm_oac_bo_create create = {};

			create.size = page;
			EXPECT_EQ(one->dev()(create), 0);
			void *const base = map_far(*one, create.mmap_offset);
			return [base] { return touch_and_unmap(base); };
		},
		0, 3);
}

TEST_F(fail_nth, map)
{
	fail_each([](owner &one) {
		return [&one, map = one->good_map()]() mutable { return one->dev()(map); };
	});
}

TEST_F(fail_nth, unmap)
{
	fail_each([](owner &one) {
		drm_oac_map map = one->good_map();
		drm_oac_unmap unmap = {};

		EXPECT_EQ(one->dev()(map), 0);
		unmap.context = map.context;
		unmap.va = map.va;
		unmap.size = map.size;
		return [&one, unmap]() mutable { return one->dev()(unmap); };
	});
}

/* DRM installs the descriptor before it tells which: with EFAULT only its number is lost. */
TEST_F(fail_nth, prime_export)
{
	if (!has_feature(DRM_OAC_FEATURE_DMABUF))
		GTEST_SKIP() << "no dma-buf";
	fail_each([](owner &one) {
		drm_prime_handle prime = {};

		prime.handle = one->buffer();
		prime.flags = DRM_CLOEXEC | DRM_RDWR;
		const int next = dup(0);
		EXPECT_GE(next, 0);
		close(next);
		return [&one, next, prime]() mutable {
			const int err = one->dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

			close(next);
			return err;
		};
	});
}

TEST_F(fail_nth, prime_import)
{
	if (!has_feature(DRM_OAC_FEATURE_DMABUF))
		GTEST_SKIP() << "no dma-buf";
	fail_each([this](owner &one) {
		auto exporter = std::make_shared<client>(path());
		drm_prime_handle prime = {};

		prime.handle = exporter->buffer();
		prime.flags = DRM_CLOEXEC | DRM_RDWR;
		EXPECT_EQ(exporter->dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
		auto shared = std::make_shared<oac::abi::node>(prime.fd);
		return [&one, exporter, shared, prime]() mutable {
			const int err = one->dev().call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

			exporter.reset();
			shared.reset();
			return err;
		};
	});
}

/* ---- Queues ---------------------------------------------------------------------------------- */

TEST_F(fail_nth, queue_create)
{
	fail_each([](owner &one) {
		return [&one, create = one->good_queue()]() mutable { return one->dev()(create); };
	});
}

TEST_F(fail_nth, queue_destroy)
{
	fail_each([](owner &one) {
		one->expect_works();
		return [&one] {
			drm_oac_queue_destroy destroy = {};

			destroy.queue = one->queue();
			return one->dev()(destroy);
		};
	});
}

TEST_F(fail_nth, doorbell_mmap)
{
	fail_each([](owner &one) {
		drm_oac_queue_create create = one->good_queue();

		EXPECT_EQ(one->dev()(create), 0);
		return [&one, offset = create.doorbell_offset] {
			return map_and_unmap(one->dev().fd(), offset);
		};
	});
}

TEST_F(fail_nth, doorbell_touch)
{
	static_assert(OAC_DB_SQ_TAIL == 0);
	fail_each(
		[](owner &one) {
			drm_oac_queue_create create = one->good_queue();

			EXPECT_EQ(one->dev()(create), 0);
			void *const base = map_far(*one, create.doorbell_offset);
			return [base] { return touch_and_unmap(base); };
		},
		0, 3);
}

TEST_F(fail_nth, queue_wait_asleep)
{
	fail_each(
		[](owner &one) {
			one->queue();
			return [&one] {
				drm_oac_queue_wait wait = {};

				wait.queue = one->queue();
				wait.deadline_ns = in_ms(20);
				return one->dev()(wait);
			};
		},
		ETIMEDOUT);
}

TEST_F(fail_nth, queue_wait_done)
{
	fail_each([](owner &one) {
		one->expect_works();
		return [&one] {
			drm_oac_queue_wait wait = {};

			wait.queue = one->queue();
			wait.deadline_ns = in_ms(60000);
			return one->dev()(wait);
		};
	});
}

TEST_F(fail_nth, queue_eventfd)
{
	const oac::abi::node event(eventfd(0, EFD_CLOEXEC));

	fail_each([&event](owner &one) {
		drm_oac_queue_eventfd arm = {};

		arm.queue = one->queue();
		arm.fd = event.fd();
		return [&one, arm]() mutable { return one->dev()(arm); };
	});
}

TEST_F(fail_nth, queue_submit)
{
	if (!has_feature(DRM_OAC_FEATURE_KERNEL_SUBMIT))
		GTEST_SKIP() << "no submission by the kernel";
	fail_each([](owner &one) {
		drm_oac_queue_create create = one->good_queue();
		drm_oac_queue_submit submit = {};

		create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
		EXPECT_EQ(one->dev()(create), 0);
		submit.queue = create.queue;
		submit.flags = DRM_OAC_SUBMIT_TAIL | DRM_OAC_SUBMIT_ARM;
		return [&one, submit]() mutable {
			return one->dev().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &submit);
		};
	});
}

/* ---- Fences ---------------------------------------------------------------------------------- */

namespace
{

std::uint32_t make_syncobj(const client &one, std::uint32_t flags = 0)
{
	drm_syncobj_create create = {};

	create.flags = flags;
	EXPECT_EQ(one.dev().call(DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
	return create.handle;
}

} // namespace

class fail_nth_fence : public fault::fail_nth, public testing::WithParamInterface<std::uint64_t>
{};

TEST_P(fail_nth_fence, queue_fence)
{
	if (!has_feature(DRM_OAC_FEATURE_SYNC))
		GTEST_SKIP() << "no fences";
	fail_each([](owner &one) {
		drm_oac_queue_fence fence = {};

		fence.queue = one->queue();
		fence.count = 1;
		fence.syncobj = make_syncobj(*one);
		fence.point = GetParam();
		return [&one, fence]() mutable {
			return one->dev().call(DRM_IOCTL_OAC_QUEUE_FENCE, &fence);
		};
	});
}

INSTANTIATE_TEST_SUITE_P(points, fail_nth_fence, testing::Values(0u, 7u));

TEST_F(fail_nth, sync_store)
{
	if (!has_feature(DRM_OAC_FEATURE_SYNC))
		GTEST_SKIP() << "no fences";
	fail_each([](owner &one) {
		drm_oac_queue_fence fence = {};
		drm_oac_sync_store store = {};

		fence.queue = one->queue();
		fence.count = 1;
		fence.syncobj = store.syncobj = make_syncobj(*one);
		EXPECT_EQ(one->dev().call(DRM_IOCTL_OAC_QUEUE_FENCE, &fence), 0);
		store.handle = one->buffer();
		store.value = 1;
		return [&one, store]() mutable {
			return one->dev().call(DRM_IOCTL_OAC_SYNC_STORE, &store);
		};
	});
}

/* ---- Firmware -------------------------------------------------------------------------------- */

class fail_nth_firmware : public fault::fail_nth
{
protected:
	static drm_oac_firmware_load good()
	{
		drm_oac_firmware_load load = {};

		load.data = reinterpret_cast<std::uintptr_t>(fault::firmware().data());
		load.size = fault::firmware().size();
		return load;
	}

	/* A boot that fails may leave the card without firmware; then it must say so. */
	void repair() override
	{
		client one(path());
		drm_oac_context_create create = {};
		drm_oac_firmware_load load = good();
		const int err = one.dev()(create);

		EXPECT_EQ(err, one.dev().info().state == OAC_STATE_RUNNING ? 0 : EHOSTDOWN);
		if (err) {
			EXPECT_EQ(one.dev()(load), 0);
		}
	}
};

TEST_F(fail_nth_firmware, load)
{
	ASSERT_FALSE(fault::firmware().empty());
	fail_each([](owner &one) {
		return [&one, load = good()]() mutable { return one->dev()(load); };
	});
}
