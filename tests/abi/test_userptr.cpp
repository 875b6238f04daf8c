// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// DRM_OAC_BO_USERPTR: what may be pinned, what it counts as, what may be done with it.
#include "device.hpp"
#include "objects.hpp"
#include "on_card.hpp"
#include "rights.hpp"

#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace oac::abi;

class userptr : public device_test
{
protected:
	static constexpr std::size_t size = 16 * page;

	void SetUp() override
	{
		device_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		ASSERT_TRUE(dev().info().driver_features & DRM_OAC_FEATURE_USERPTR);
		memory_ = anonymous(size);
		ASSERT_NE(memory_, MAP_FAILED);
	}

	void TearDown() override
	{
		if (memory_ != MAP_FAILED)
			munmap(memory_, size);
	}

	static void *anonymous(std::size_t bytes, int flags = MAP_PRIVATE)
	{
		return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	}

	static drm_oac_bo_userptr arg(const void *addr, std::uint64_t bytes,
				      std::uint32_t flags = 0)
	{
		drm_oac_bo_userptr one = {};

		one.addr = reinterpret_cast<std::uintptr_t>(addr);
		one.size = bytes;
		one.flags = flags;
		return one;
	}

	int make(const void *addr, std::uint64_t bytes, std::uint32_t flags = 0) const
	{
		auto one = arg(addr, bytes, flags);

		return dev()(one);
	}

	int map(std::uint32_t handle, std::uint32_t flags) const
	{
		drm_oac_map one = {};

		one.context = dev().context();
		one.handle = handle;
		one.va = 1 << 20;
		one.size = size;
		one.flags = flags;
		return dev()(one);
	}

	/* VmPin of this process, in bytes. */
	static std::uint64_t pinned()
	{
		std::ifstream status("/proc/self/status");
		std::uint64_t kib = 0;

		for (std::string word; status >> word;) {
			if (word == "VmPin:")
				status >> kib;
		}
		return kib << 10;
	}

	void *memory_ = MAP_FAILED;
};

TEST_F(userptr, refuses_one_wrong_field_at_a_time)
{
	char *at = static_cast<char *>(memory_);

	EXPECT_EQ(make(at + 1, size), EINVAL);
	EXPECT_EQ(make(at + 2048, size), EINVAL);
	EXPECT_EQ(make(at, 0), EINVAL);
	EXPECT_EQ(make(at, 1), EINVAL);
	EXPECT_EQ(make(at, page - 1), EINVAL);
	EXPECT_EQ(make(at, u64_max - page + 1), EINVAL);
	EXPECT_EQ(make(reinterpret_cast<void *>(u64_max - page + 1), 2 * page), EINVAL);
	for (std::uint32_t flags : { 2u, 0x80000000u, u32_max })
		EXPECT_EQ(make(at, size, flags), EINVAL) << flags;
	auto padded = arg(at, size);
	padded.pad = 1;
	EXPECT_EQ(dev()(padded), EINVAL);
	EXPECT_EQ(make(nullptr, page), EFAULT);
	EXPECT_EQ(make(reinterpret_cast<void *>(0xffff888000000000ull), page), EFAULT);
	EXPECT_EQ(make(at, 1ull << 46), ENOMEM);
	EXPECT_EQ(make(at, size), 0);
}

TEST_F(userptr, memory_that_is_not_there_or_not_writable)
{
	char *at = static_cast<char *>(memory_);

	ASSERT_EQ(munmap(at + 8 * page, page), 0);
	EXPECT_EQ(make(at, size), EFAULT);
	EXPECT_EQ(make(at, 8 * page), 0);
	ASSERT_EQ(mprotect(at, page, PROT_READ), 0);
	EXPECT_EQ(make(at, page), EFAULT);
	EXPECT_EQ(make(at, page, DRM_OAC_USERPTR_READ_ONLY), 0);
	ASSERT_EQ(mprotect(at, page, PROT_NONE), 0);
	EXPECT_EQ(make(at, page, DRM_OAC_USERPTR_READ_ONLY), EFAULT);
}

TEST_F(userptr, buffers_of_the_card_are_not_memory_of_the_caller)
{
	std::uint64_t offset = 0;

	dev().buffer(4 * page, &offset);
	const mapping memory(dev(), offset, 4 * page);
	ASSERT_TRUE(memory.is_valid());
	EXPECT_EQ(make(const_cast<char *>(memory.at<char>()), page), EFAULT);
}

TEST_F(userptr, counts_as_locked_memory_until_it_goes)
{
	const std::uint64_t before = pinned();
	const auto start = objects(path());
	auto one = arg(memory_, size);

	ASSERT_EQ(dev()(one), 0);
	EXPECT_EQ(pinned(), before + size);
	if (!start.empty()) {
		EXPECT_EQ(objects(path()).at("pinned_pages"),
			  start.at("pinned_pages") + static_cast<long>(size / page));
	}
	drm_gem_close close = {};
	close.handle = one.handle;
	EXPECT_EQ(dev()(close), 0);
	EXPECT_EQ(pinned(), before);
	EXPECT_EQ(objects(path()), start);
}

TEST_F(userptr, limit_of_locked_memory_is_named)
{
	as_user(nobody, [this] {
		const rlimit limit = { 8 * page, 8 * page };
		auto one = arg(memory_, size);

		ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
		EXPECT_EQ(dev()(one), EDQUOT);
		EXPECT_EQ(one.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_PINNED));
		one = arg(memory_, 8 * page);
		EXPECT_EQ(dev()(one), 0);
		EXPECT_EQ(one.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_NONE));
		one = arg(memory_, page);
		EXPECT_EQ(dev()(one), EDQUOT);
	});
	/* Who may lock memory is not bound. */
	rlimit old = {};
	ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	const rlimit none = { 0, old.rlim_max };
	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	EXPECT_EQ(make(memory_, size), 0);
	setrlimit(RLIMIT_MEMLOCK, &old);
}

TEST_F(userptr, read_only_memory_takes_no_write_map)
{
	auto one = arg(memory_, size, DRM_OAC_USERPTR_READ_ONLY);

	ASSERT_EQ(dev()(one), 0);
	EXPECT_EQ(map(one.handle, DRM_OAC_MAP_WRITE), EACCES);
	EXPECT_EQ(map(one.handle, DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE), EACCES);
	EXPECT_EQ(map(one.handle, DRM_OAC_MAP_READ), 0);
	one = arg(memory_, size);
	ASSERT_EQ(dev()(one), 0);
	EXPECT_EQ(map(one.handle, DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE), 0);
}

TEST_F(userptr, is_not_exported)
{
	auto one = arg(memory_, size);
	drm_prime_handle prime = {};

	ASSERT_EQ(dev()(one), 0);
	prime.handle = one.handle;
	prime.flags = DRM_CLOEXEC | DRM_RDWR;
	EXPECT_EQ(dev().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), EOPNOTSUPP);
}

/* The card copies between pinned memory and a buffer: it reaches the very pages. */
class userptr_on_card : public card_test
{};

TEST_F(userptr_on_card, reads_and_writes_the_callers_own_pages)
{
	constexpr std::size_t size = 1024 * page;
	constexpr std::uint64_t at = 1 << 30;
	auto *words = static_cast<std::uint64_t *>(mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	drm_oac_bo_userptr from = {}, to = {};

	ASSERT_NE(words, MAP_FAILED);
	/* Untouched when it is pinned: what is stored later must be what the card reads. */
	from.addr = reinterpret_cast<std::uintptr_t>(words);
	from.size = to.size = size;
	from.flags = DRM_OAC_USERPTR_READ_ONLY;
	to.addr = from.addr + size;
	ASSERT_EQ(dev()(from), 0);
	ASSERT_EQ(dev()(to), 0);
	ASSERT_EQ(map(from.handle, at, size, DRM_OAC_MAP_READ), 0);
	ASSERT_EQ(map(to.handle, at + size, size, DRM_OAC_MAP_WRITE), 0);
	for (std::size_t i = 0; i < size / 8; i++)
		words[i] = i * 0x9e3779b97f4a7c15ull;
	ASSERT_EQ(copy(at, at + size, size), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	for (std::size_t i = 0; i < size / 8; i++)
		ASSERT_EQ(words[size / 8 + i], i * 0x9e3779b97f4a7c15ull) << i;
	munmap(words, 2 * size);
}
