// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What holds for every ioctl, whatever it does.
#include "layout.hpp"
#include "matrix.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <sys/ioctl.h>
#include <sys/mman.h>

using namespace oac::abi;

class every_ioctl : public device_test
{
protected:
	/* Their numbers, from layout.def. */
	static std::vector<unsigned long> requests()
	{
		std::vector<unsigned long> all;

		for (const auto &one : ioctls())
			all.push_back(one.value);
		return all;
	}
};

TEST_F(every_ioctl, bad_pointers_give_efault)
{
	const edge memory;

	for (unsigned long request : requests()) {
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

	for (unsigned long request : requests()) {
		char *arg = memory.last(_IOC_SIZE(request));

		std::memset(arg, 0, _IOC_SIZE(request));
		EXPECT_NE(dev().call(request, arg), EFAULT) << _IOC_NR(request);
	}
}

TEST_F(every_ioctl, result_that_cannot_be_stored_gives_efault)
{
	const edge memory;
	drm_oac_context_create create = {};

	std::memcpy(memory.base(), &create, sizeof(create));
	ASSERT_EQ(mprotect(memory.base(), page, PROT_READ), 0);
	EXPECT_EQ(dev().call(DRM_IOCTL_OAC_CONTEXT_CREATE, memory.base()), EFAULT);
	ASSERT_EQ(mprotect(memory.base(), page, PROT_READ | PROT_WRITE), 0);
}

TEST_F(every_ioctl, garbage_breaks_nothing)
{
	std::vector<unsigned char> bytes(256);

	for (unsigned fill : { 0x00u, 0x01u, 0x7fu, 0x80u, 0xffu }) {
		for (unsigned long request : requests()) {
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
	unsigned next = 0;

	for (unsigned long request : requests())
		next = std::max<unsigned>(next, _IOC_NR(request) + 1);
	EXPECT_EQ(dev().call(_IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE, next, 8), bytes.data()),
		  EINVAL)
		<< "an ioctl that layout.def does not know";
	EXPECT_EQ(dev().call(DRM_IOWR(DRM_COMMAND_END - 1, std::uint64_t), bytes.data()), EINVAL);
}
