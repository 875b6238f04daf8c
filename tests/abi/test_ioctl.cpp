// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What holds for every ioctl, whatever it does.
#include "device.hpp"

#include <cstring>
#include <vector>

#include <sys/ioctl.h>
#include <sys/mman.h>

using namespace oac::abi;

class every_ioctl : public device_test
{
protected:
	static constexpr unsigned long requests[] = {
		DRM_IOCTL_OAC_INFO_GET,
		DRM_IOCTL_OAC_CONTEXT_CREATE,
		DRM_IOCTL_OAC_CONTEXT_DESTROY,
		DRM_IOCTL_OAC_BO_CREATE,
		DRM_IOCTL_OAC_MAP,
		DRM_IOCTL_OAC_UNMAP,
		DRM_IOCTL_OAC_QUEUE_CREATE,
		DRM_IOCTL_OAC_QUEUE_DESTROY,
		DRM_IOCTL_OAC_QUEUE_WAIT,
		DRM_IOCTL_OAC_QUEUE_EVENTFD,
		DRM_IOCTL_OAC_FIRMWARE_LOAD,
	};

	/* Two pages, the second of which is not there. */
	struct edge {
		char *base;

		edge()
		{
			base = static_cast<char *>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
			munmap(base + page, page);
		}
		~edge() { munmap(base, page); }
		char *last(std::size_t bytes) const { return base + page - bytes; }
	};
};

TEST_F(every_ioctl, bad_pointers_give_efault)
{
	const edge memory;

	for (unsigned long request : requests) {
		const std::size_t size = _IOC_SIZE(request);

		EXPECT_EQ(dev().call(request, nullptr), EFAULT) << _IOC_NR(request);
		EXPECT_EQ(dev().call(request, reinterpret_cast<void *>(8)), EFAULT);
		for (std::size_t missing : { std::size_t{ 1 }, size / 2, size - 1 })
			EXPECT_EQ(dev().call(request, memory.last(size - missing)), EFAULT)
				<< _IOC_NR(request) << " without the last " << missing;
	}
}

TEST_F(every_ioctl, struct_at_the_very_end_of_memory_works)
{
	const edge memory;

	for (unsigned long request : requests) {
		char *arg = memory.last(_IOC_SIZE(request));

		std::memset(arg, 0, _IOC_SIZE(request));
		EXPECT_NE(dev().call(request, arg), EFAULT) << _IOC_NR(request);
	}
}

TEST_F(every_ioctl, result_that_cannot_be_stored_gives_efault)
{
	const edge memory;
	drm_oac_context_create create = {};

	std::memcpy(memory.base, &create, sizeof(create));
	ASSERT_EQ(mprotect(memory.base, page, PROT_READ), 0);
	EXPECT_EQ(dev().call(DRM_IOCTL_OAC_CONTEXT_CREATE, memory.base), EFAULT);
	ASSERT_EQ(mprotect(memory.base, page, PROT_READ | PROT_WRITE), 0);
}

TEST_F(every_ioctl, garbage_breaks_nothing)
{
	std::vector<unsigned char> bytes(256);

	for (unsigned fill : { 0x00u, 0x01u, 0x7fu, 0x80u, 0xffu }) {
		for (unsigned long request : requests) {
			std::memset(bytes.data(), static_cast<int>(fill), bytes.size());
			dev().call(request, bytes.data());
		}
	}
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
}

TEST_F(every_ioctl, shorter_struct_means_zeroes)
{
	/* An old caller, from before the second field. */
	std::uint32_t old = 0;
	const unsigned long request =
		DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_CONTEXT_CREATE, std::uint32_t);

	EXPECT_EQ(dev().call(request, &old), 0);
	old = 1;
	EXPECT_EQ(dev().call(request, &old), EINVAL);
}

TEST_F(every_ioctl, numbers_behind_the_last_are_refused)
{
	std::vector<unsigned char> bytes(256);

	EXPECT_EQ(dev().call(DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_FIRMWARE_LOAD + 1, std::uint64_t),
			     bytes.data()),
		  EINVAL);
	EXPECT_EQ(dev().call(DRM_IOWR(DRM_COMMAND_END - 1, std::uint64_t), bytes.data()), EINVAL);
}
