// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Buffers as dma-bufs: out to whoever maps them, in from udmabuf, vgem and the other card.
#include "objects.hpp"
#include "prime.hpp"

#include <algorithm>
#include <csignal>

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace oac::abi;

namespace
{

/* Anonymous memory as a dma-buf, or -1 where udmabuf is missing. */
int make_udmabuf(std::size_t size, int *memory)
{
	const int device = ::open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	udmabuf_create create = {};

	if (device < 0)
		return -1;
	*memory = memfd_create("oac-test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	EXPECT_EQ(ftruncate(*memory, static_cast<off_t>(size)), 0);
	EXPECT_EQ(fcntl(*memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	create.memfd = static_cast<std::uint32_t>(*memory);
	create.flags = UDMABUF_FLAGS_CLOEXEC;
	create.size = size;
	const int fd = ioctl(device, UDMABUF_CREATE, &create);
	EXPECT_GE(fd, 0) << errno;
	close(device);
	return fd;
}

} // namespace

class prime : public prime_test
{
protected:
	static constexpr std::size_t size = 64 * page;

	/* The card fills the import and adds to what somebody else wrote there: one memory. */
	void check_is_one_memory(std::uint32_t handle, const view &seen) const
	{
		ASSERT_EQ(map(handle, at, size), 0);
		ASSERT_EQ(fill(at, size / 2, 0x1122334455667788ull), success);
		for (std::size_t i = 0; i < size / 2; i += page)
			ASSERT_EQ(seen.word(i), 0x1122334455667788ull) << i;
		for (std::size_t i = 0; i < size / 2; i += 8)
			seen.word(i) = i + 3;
		ASSERT_EQ(copy(at, at + size / 2, size / 2), success);
		for (std::size_t i = 0; i < size / 2; i += 8)
			ASSERT_EQ(seen.word(size / 2 + i), i + 3);
		ASSERT_EQ(unmap(at, size), 0);
	}
};

TEST_F(prime, feature_is_there_and_wrong_handles_are_not)
{
	EXPECT_TRUE(dev().info().driver_features & DRM_OAC_FEATURE_DMABUF);
	for (std::uint32_t handle : { 0u, handle_ + 1000, u32_max })
		export_fd(dev(), handle, ENOENT);
	const node other = open();
	export_fd(other, handle_, ENOENT);
	import_fd(dev(), -1, EBADF);
	import_fd(dev(), dev().fd(), EINVAL);
}

TEST_F(prime, export_is_mapped_by_whoever_has_it)
{
	std::uint64_t offset = 0;
	const std::uint32_t handle = dev().buffer(size, &offset);
	const mapping own(dev(), offset, size);
	const node fd(export_fd(dev(), handle));
	const view seen(fd.fd(), size);

	ASSERT_TRUE(own.is_valid() && seen.is_valid());
	*own.at<std::uint64_t>(5 * page) = 42;
	EXPECT_EQ(seen.word(5 * page), 42u);
	check_is_one_memory(handle, seen);
	EXPECT_EQ(mmap(nullptr, size + page, PROT_READ, MAP_SHARED, fd.fd(), 0), MAP_FAILED);
	EXPECT_EQ(mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.fd(), 0), MAP_FAILED);
	/* A part from the middle. */
	void *part = mmap(nullptr, page, PROT_READ, MAP_SHARED, fd.fd(), 5 * page);
	ASSERT_NE(part, MAP_FAILED);
	*own.at<std::uint64_t>(5 * page) = 43;
	EXPECT_EQ(*static_cast<volatile std::uint64_t *>(part), 43u);
	munmap(part, page);
	dma_buf_sync sync = { DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	EXPECT_EQ(ioctl(fd.fd(), DMA_BUF_IOCTL_SYNC, &sync), 0);
}

TEST_F(prime, same_card_gets_the_same_buffer)
{
	const auto before = objects(path());

	{
		const node other = open();
		const std::uint32_t handle = other.buffer(size);
		const node fd(export_fd(other, handle));
		const view seen(fd.fd(), size);
		const std::uint32_t mine = import_fd(dev(), fd.fd());

		EXPECT_EQ(import_fd(dev(), fd.fd()), mine) << "one handle per buffer and file";
		check_is_one_memory(mine, seen);
		close_handle(other, handle);
		seen.word(0) = 9;
		EXPECT_EQ(seen.word(0), 9u);
		close_handle(dev(), mine);
	}
	EXPECT_EQ(objects(path()), before);
}

TEST_F(prime, local_memory_is_shared_on_its_card)
{
	if (!has_local())
		GTEST_SKIP() << "no local memory";
	const node other = open();
	const std::uint32_t handle = local_buffer(size);
	const node fd(export_fd(dev(), handle));
	const view seen(fd.fd(), size);

	ASSERT_TRUE(seen.is_valid());
	check_is_one_memory(handle, seen);
	EXPECT_NE(import_fd(other, fd.fd()), 0u);
}

TEST_F(prime, local_memory_is_refused_by_other_devices)
{
	const node second(open_second());

	if (!has_local() || second.fd() < 0)
		GTEST_SKIP() << "it takes two cards with local memory";
	if (second.info().driver_features & DRM_OAC_FEATURE_PEER)
		GTEST_SKIP() << "these cards reach each other";
	const node fd(export_fd(dev(), local_buffer(size)));
	import_fd(second, fd.fd(), EOPNOTSUPP);
	const node vgem(open_driver("vgem"));
	if (vgem.fd() >= 0)
		import_fd(vgem, fd.fd(), EOPNOTSUPP);
}

TEST_F(prime, second_card_works_on_the_first_ones_memory)
{
	const node second(open_second());

	if (second.fd() < 0)
		GTEST_SKIP() << "it takes two cards";
	const auto before = objects(path());
	{
		const std::uint32_t theirs = second.buffer(size);
		const node fd(export_fd(second, theirs));
		const view seen(fd.fd(), size);
		const std::uint32_t mine = import_fd(dev(), fd.fd());

		check_is_one_memory(mine, seen);
		/* The exporter's handle may go first. */
		close_handle(second, theirs);
		check_is_one_memory(mine, seen);
		export_fd(dev(), mine, EOPNOTSUPP);
		if (!before.empty()) {
			EXPECT_EQ(objects(path()).at("imports"), before.at("imports") + 1);
		}
		close_handle(dev(), mine);
	}
	EXPECT_EQ(objects(path()), before);
}

TEST_F(prime, takes_udmabuf)
{
	int memory = -1;
	const node fd(make_udmabuf(size, &memory));

	if (fd.fd() < 0)
		GTEST_SKIP() << "no /dev/udmabuf";
	const node held(memory);
	const view seen(memory, size);
	const std::uint32_t handle = import_fd(dev(), fd.fd());

	ASSERT_TRUE(seen.is_valid());
	check_is_one_memory(handle, seen);
	export_fd(dev(), handle, EOPNOTSUPP);
	drm_oac_map beyond = { context_, handle, at, 0, size + page, DRM_OAC_MAP_READ, 0, 0, 0 };
	EXPECT_EQ(dev()(beyond), EINVAL);
	close_handle(dev(), handle);
}

TEST_F(prime, takes_vgem_and_is_taken_by_it)
{
	const node vgem(open_driver("vgem"));
	drm_mode_create_dumb create = {};

	if (vgem.fd() < 0)
		GTEST_SKIP() << "no vgem device";
	create.width = size / 4;
	create.height = 1;
	create.bpp = 32;
	ASSERT_EQ(vgem.call(DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	ASSERT_EQ(create.size, size);
	const node fd(export_fd(vgem, create.handle));
	const view seen(fd.fd(), size);
	ASSERT_TRUE(seen.is_valid());
	check_is_one_memory(import_fd(dev(), fd.fd()), seen);
	/* And the other way round. */
	const node out(export_fd(dev(), handle_));
	EXPECT_NE(import_fd(vgem, out.fd()), 0u);
}
