// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Local memory of one card for another: where there is a path, and how it is taken back. The first
// card imports from the second. OAC_TEST_PEER says whether this machine has a path.
#include "objects.hpp"
#include "prime.hpp"

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>

#include <hw/oac_health.h>

using namespace oac::abi;

class peer : public prime_test
{
protected:
	static constexpr std::uint64_t size = 64 * page;
	static constexpr std::uint64_t own_at = 2 * at;
	static constexpr std::uint64_t pattern = 0x1122334455667788;
	static constexpr std::uint32_t fault = OAC_ST_ACCESS_FAULT;

	void SetUp() override
	{
		card_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		if (second_path().empty() || !has_local())
			GTEST_SKIP() << "it takes two cards with local memory";
		second_.emplace(open_second());
		if (!is_reached())
			GTEST_SKIP() << "no path between cards: DRM_OAC_FEATURE_PEER is missing";
	}

	bool is_reached() const { return dev().info().driver_features & DRM_OAC_FEATURE_PEER; }
	const node &second() const { return *second_; }
	void close_second() { second_.reset(); }

	/* Local memory of the second card as a dma-buf. */
	int export_second(std::uint64_t bytes, std::uint32_t *handle = nullptr) const
	{
		drm_oac_bo_create create = {};

		create.size = bytes;
		create.flags = DRM_OAC_BO_LOCAL;
		EXPECT_EQ(second()(create), 0);
		if (handle)
			*handle = create.handle;
		return export_fd(second(), create.handle);
	}

	int load(const node &on, std::vector<char> &image) const
	{
		drm_oac_firmware_load load = {};

		load.data = reinterpret_cast<std::uintptr_t>(image.data());
		load.size = image.size();
		return on(load);
	}

private:
	std::optional<node> second_;
};

/* Whether there is a path or not, the machine must be what the caller knows it to be. */
class peer_platform : public peer
{
protected:
	void SetUp() override
	{
		const char *text = std::getenv("OAC_TEST_PEER");

		if (!text)
			GTEST_SKIP()
				<< "OAC_TEST_PEER is not set: 1 with a path between cards, or 0";
		is_expected_ = std::string_view(text) == "1";
		prime_test::SetUp();
	}
	bool is_expected_ = false;
};

TEST_F(peer_platform, has_a_path_or_says_that_it_has_none)
{
	const node other(open_second());
	ASSERT_GE(other.fd(), 0) << "it takes two cards";
	EXPECT_EQ(is_reached(), is_expected_);
	EXPECT_EQ((other.info().driver_features & DRM_OAC_FEATURE_PEER) != 0, is_expected_);
	const node fd(export_fd(dev(), local_buffer(size)));
	import_fd(other, fd.fd(), is_expected_ ? 0 : EOPNOTSUPP);
}

TEST_F(peer, card_reads_and_writes_the_other_ones_memory)
{
	constexpr std::uint64_t large = 1024 * page;
	const auto before = objects(path()), before_second = objects(second_path());

	{
		std::uint64_t offset = 0;
		std::uint32_t theirs = 0;
		const node fd(export_second(large, &theirs));
		const view seen(fd.fd(), large);
		const std::uint32_t mine = import_fd(dev(), fd.fd());
		const std::uint32_t local = local_buffer(large, &offset);
		const mapping window(dev(), offset, large);

		ASSERT_TRUE(seen.is_valid() && window.is_valid());
		ASSERT_EQ(map(mine, at, large), 0);
		ASSERT_EQ(map(local, own_at, large), 0);
		for (std::uint64_t i = 0; i < large; i += 8)
			*window.at<std::uint64_t>(i) = i * pattern;
		ASSERT_EQ(copy(own_at, at, large), success);
		for (std::uint64_t i = 0; i < large; i += 8)
			ASSERT_EQ(seen.word(i), i * pattern) << i;
		for (std::uint64_t i = 0; i < large; i += page)
			seen.word(i) = ~i;
		ASSERT_EQ(fill(own_at, large, 0), success);
		ASSERT_EQ(copy(at + page, own_at + page, large - page), success);
		EXPECT_EQ(*window.at<std::uint64_t>(0), 0u);
		for (std::uint64_t i = page; i < large; i += page)
			ASSERT_EQ(*window.at<std::uint64_t>(i), ~i) << i;
		/* The exporter's handle may go first; the memory stays the second card's. */
		close_handle(second(), theirs);
		ASSERT_EQ(fill(at, page, pattern), success);
		EXPECT_EQ(seen.word(8), pattern);
		export_fd(dev(), mine, EOPNOTSUPP);
		ASSERT_EQ(unmap(at, large), 0);
		EXPECT_EQ(fill(at, 8, 0), fault);
		close_handle(dev(), mine);
		ASSERT_EQ(unmap(own_at, large), 0);
		close_handle(dev(), local);
	}
	EXPECT_EQ(objects(path()), before);
	EXPECT_EQ(objects(second_path()), before_second);
}

TEST_F(peer, parts_of_it_and_rights_are_kept)
{
	const node fd(export_second(size));
	const view seen(fd.fd(), size);
	drm_oac_map part = {};

	ASSERT_TRUE(seen.is_valid());
	part.context = context_;
	part.handle = import_fd(dev(), fd.fd());
	part.va = at;
	part.offset = 3 * page;
	part.size = 2 * page;
	part.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	ASSERT_EQ(dev()(part), 0);
	ASSERT_EQ(fill(at, 2 * page, pattern), success);
	for (std::uint64_t i = 0; i < size; i += page)
		EXPECT_EQ(seen.word(i), i / page == 3 || i / page == 4 ? pattern : 0) << i;
	ASSERT_EQ(map(part.handle, own_at, page, DRM_OAC_MAP_READ), 0);
	EXPECT_EQ(fill(own_at, page, 1), static_cast<std::uint32_t>(OAC_ST_ACCESS_RIGHTS));
	EXPECT_EQ(seen.word(0), 0u);
}

/* Who cannot do without pages gets none. */
TEST_F(peer, others_are_refused)
{
	const node vgem(open_driver("vgem"));

	if (vgem.fd() < 0)
		GTEST_SKIP() << "no vgem device";
	const node fd(export_second(size));
	import_fd(vgem, fd.fd(), EOPNOTSUPP);
}

/* Other firmware empties the second card's memory: the first must not reach the next owner's. */
TEST_F(peer, firmware_load_takes_it_back)
{
	auto image = firmware_image();
	drm_oac_bo_create next = {};

	if (image.empty())
		GTEST_SKIP() << "no image to load (OAC_TEST_FIRMWARE)";
	const node fd(export_second(size));
	const std::uint32_t mine = import_fd(dev(), fd.fd());
	ASSERT_EQ(map(mine, at, size), 0);
	ASSERT_EQ(map(mine, own_at, page), 0);
	ASSERT_EQ(fill(at, size, pattern), success);
	ASSERT_EQ(load(second(), image), 0);

	next.size = second().info().lmem_size;
	next.flags = DRM_OAC_BO_LOCAL;
	ASSERT_EQ(second()(next), 0);
	const mapping window(second(), next.mmap_offset, size);
	ASSERT_TRUE(window.is_valid());
	EXPECT_EQ(fill(at, size, pattern), fault);
	EXPECT_EQ(fill(own_at, 8, pattern), fault);
	for (std::uint64_t i = 0; i < size; i += 8)
		ASSERT_EQ(*window.at<std::uint64_t>(i), 0u) << i;
	EXPECT_EQ(map(mine, 3 * at, page), ESTALE);
	EXPECT_EQ(map(handle_, at, page), EEXIST) << "the range is taken until it is unmapped";
	import_fd(open(), fd.fd(), ESTALE);
	/* No ring can be there any more. */
	drm_oac_queue_create create = good_queue();
	create.sq_va = at;
	EXPECT_EQ(dev()(create), EINVAL);
	EXPECT_EQ(unmap(at, size), 0);
	EXPECT_EQ(unmap(at, size), ENOENT);
	EXPECT_EQ(map(handle_, at, page), 0);
	close_handle(dev(), mine);
}

/* One that imports, maps, copies and lets go, while the memory is taken away under it. */
TEST_F(peer, is_taken_back_under_load)
{
	auto image = firmware_image();
	std::atomic<bool> is_over = false;
	std::atomic<unsigned> rounds = 0;

	if (image.empty())
		GTEST_SKIP() << "no image to load (OAC_TEST_FIRMWARE)";
	const auto before = objects(path()), before_second = objects(second_path());
	std::vector<std::thread> threads;
	for (unsigned i = 0; i < 2; i++) {
		threads.emplace_back([&] {
			const node own = open();
			const node theirs(open_second());

			while (!is_over) {
				drm_oac_bo_create bo = { size, DRM_OAC_BO_LOCAL, 0, 0, 0, 0 };
				drm_prime_handle out = {}, in = {};
				drm_oac_context_create context = {};
				drm_oac_map map = {};
				drm_gem_close close = {};

				/* EHOSTDOWN, EOPNOTSUPP: while it boots. */
				if (theirs(bo) || own(context))
					continue;
				out.handle = close.handle = bo.handle;
				out.flags = DRM_CLOEXEC | DRM_RDWR;
				out.fd = -1;
				EXPECT_EQ(theirs.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &out), 0);
				const node fd(out.fd);
				in.fd = fd.fd();
				const int err = own.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &in);
				EXPECT_TRUE(err == 0 || err == ESTALE) << err;
				map.context = context.context;
				map.handle = in.handle;
				map.va = at;
				map.size = size;
				map.flags = DRM_OAC_MAP_READ;
				if (!err) {
					const int mapped = own(map);
					EXPECT_TRUE(mapped == 0 || mapped == ESTALE) << mapped;
				}
				EXPECT_EQ(theirs(close), 0);
				close.handle = in.handle;
				EXPECT_EQ(err ? 0 : own(close), 0);
				drm_oac_context_destroy destroy = { context.context, 0 };
				EXPECT_EQ(own(destroy), 0);
				rounds++;
			}
		});
	}
	for (unsigned i = 1; i <= 4; i++) {
		rounds = 0;
		while (rounds < 5)
			std::this_thread::yield();
		EXPECT_EQ(load(second(), image), 0);
	}
	is_over = true;
	for (auto &one : threads)
		one.join();
	EXPECT_EQ(objects(path()), before);
	EXPECT_EQ(objects(second_path()), before_second);
}

/* ---- Two that recover at once ----------------------------------------------------------------- */

namespace
{

int reset_card(const node &on)
{
	drm_oac_reset arg = {};

	timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	arg.rung = OAC_RUNG_SOFT_RESET;
	arg.deadline_ns = (static_cast<std::uint64_t>(now.tv_sec) + 60 * slowness()) * 1000000000;
	return on.call(DRM_IOCTL_OAC_RESET, &arg);
}

/* Local memory of one card, mapped on the other: as far as that goes while both are reset. */
void share_once(const node &from, const node &to, std::uint64_t where)
{
	drm_oac_context_create create = {};
	drm_oac_bo_create bo = {};
	drm_prime_handle prime = {};
	drm_oac_map map = {};

	bo.size = 16 * page;
	bo.flags = DRM_OAC_BO_LOCAL;
	if (to(create) || from(bo))
		return;
	prime.handle = bo.handle;
	prime.flags = DRM_RDWR;
	if (from.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return;
	const node fd(prime.fd);
	if (to.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return;
	map.context = create.context;
	map.handle = prime.handle;
	map.va = where;
	map.size = bo.size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	to(map);
}

} // namespace

/*
 * Each takes its memory back from the other, which is doing the same: neither waits for the other
 * one's turn. Under lockdep also for those that just map it.
 */
TEST_F(peer, cards_that_import_from_each_other_recover_at_once)
{
	constexpr unsigned rounds = 25;
	const std::string paths[] = { path(), second_path() };
	std::vector<std::thread> threads;
	std::atomic<unsigned> ready = 0;
	std::atomic<bool> is_over = false;

	for (unsigned i = 0; i < 2; i++) {
		threads.emplace_back([&, i] {
			while (!is_over) {
				const node from(::open(paths[i].c_str(), O_RDWR | O_CLOEXEC));
				const node to(::open(paths[1 - i].c_str(), O_RDWR | O_CLOEXEC));

				for (std::uint64_t n = 1; n < 8 && !is_over; n++)
					share_once(from, to, n << 32);
			}
		});
		threads.emplace_back([&, i] {
			const node on(::open(paths[i].c_str(), O_RDWR | O_CLOEXEC));
			const node other(::open(paths[1 - i].c_str(), O_RDWR | O_CLOEXEC));

			for (unsigned n = 1; n <= rounds; n++) {
				for (std::uint64_t m = 1; m < 5; m++)
					share_once(other, on, m << 32);
				ready++;
				while (ready < 2 * n)
					std::this_thread::yield();
				EXPECT_EQ(reset_card(on), 0) << i << ", round " << n;
			}
			is_over = true;
		});
	}
	for (auto &one : threads)
		one.join();
	for (const auto &one : paths) {
		const node again(::open(one.c_str(), O_RDWR | O_CLOEXEC));

		again.context();
		EXPECT_EQ(again.info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
	}
}
