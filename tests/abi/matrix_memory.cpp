// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tables of the matrix: information, contexts, buffers, maps, firmware.
#include "matrix.hpp"

#include <sys/mman.h>

#include <hw/oac_firmware.h>

namespace oac::abi
{

namespace
{

constexpr std::uint64_t kernel_address = 0xffff888000000000ull;
constexpr std::uint64_t last_page = u64_max - page + 1;

std::uint64_t address_of(const void *memory)
{
	return reinterpret_cast<std::uintptr_t>(memory);
}

/* Memory of the process: pages that are there, with one behind them that is not. */
class own_memory
{
public:
	static constexpr std::size_t size = 4 * page;

	own_memory()
	{
		base_ = static_cast<char *>(mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		munmap(base_ + size, page);
	}
	~own_memory() { munmap(base_, size); }
	own_memory(const own_memory &) = delete;
	own_memory &operator=(const own_memory &) = delete;
	std::uint64_t address() const { return address_of(base_); }
	void read_only() { mprotect(base_, size, PROT_READ); }

private:
	char *base_;
};

} // namespace

TEST_F(matrix, info_get)
{
	std::vector<unsigned char> data(3 * page);
	const std::uint64_t at = address_of(data.data());
	drm_oac_info_get good = {};

	good.topic = DRM_OAC_INFO_DEVICE;
	good.stride = sizeof(drm_oac_info_device);
	good.count = 1;
	good.data = at;
	walk({ "drm_oac_info_get",
	       DRM_IOCTL_OAC_INFO_GET,
	       0,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "topic",
		   role::count,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, 0 },
		     { kind::extra, DRM_OAC_INFO_RUNGS, 0 },
		     { kind::over, DRM_OAC_INFO_RUNGS + 1, EINVAL },
		     { kind::extra, 0x80000001u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "stride",
		   role::count,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, 0 },
		     { kind::misaligned, 7, 0 },
		     { kind::extra, page, 0 },
		     { kind::over, page + 1, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "count",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u32_max, 0 } } },
		 { "pad", role::pad },
		 { "start",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } },
		 { "data",
		   role::range,
		   { { kind::zero, 0, EFAULT },
		     { kind::one, 1, EFAULT },
		     { kind::misaligned, at + 1, 0 },
		     { kind::wrap, u64_max - 3, EFAULT },
		     { kind::extra, kernel_address, EFAULT },
		     { kind::most, u64_max, EFAULT } } },
		 /* This topic waits for nobody. */
		 { "deadline_ns",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } } } });
}

TEST_F(matrix, context_create)
{
	walk({ "drm_oac_context_create",
	       DRM_IOCTL_OAC_CONTEXT_CREATE,
	       0,
	       [] { return to_bytes(drm_oac_context_create{}); },
	       typed_undo<drm_oac_context_create>([this](auto &, auto &now, int err) {
		       if (!err)
			       drop_context(now.context);
	       }),
	       { { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "context", role::out },
		 { "limit", role::out },
		 { "pad", role::pad } } });
}

TEST_F(matrix, context_destroy)
{
	const auto good = [this] {
		drm_oac_context_destroy arg = { dev().context(), 0 };

		return to_bytes(arg);
	};

	walk({ "drm_oac_context_destroy",
	       DRM_IOCTL_OAC_CONTEXT_DESTROY,
	       0,
	       good,
	       typed_undo<drm_oac_context_destroy>([this](auto &was, auto &, int err) {
		       if (err)
			       drop_context(was.context);
	       }),
	       { { "context", role::id, context_ids() }, { "pad", role::pad } } });
}

TEST_F(matrix, bo_create)
{
	const int local_err = has(DRM_OAC_FEATURE_LOCAL_MEMORY) ? 0 : EOPNOTSUPP;
	drm_oac_bo_create good = {};

	good.size = 2 * page;
	walk({ "drm_oac_bo_create",
	       DRM_IOCTL_OAC_BO_CREATE,
	       0,
	       [=] { return to_bytes(good); },
	       typed_undo<drm_oac_bo_create>([this](auto &, auto &now, int err) {
		       if (!err)
			       drop_buffer(now.handle);
	       }),
	       { { "size",
		   role::range,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, page + 8, EINVAL },
		     { kind::extra, page - 1, EINVAL },
		     { kind::extra, page, 0 },
		     { kind::extra, 1ull << 40, ENOMEM },
		     { kind::over, (1ull << 40) + page, E2BIG },
		     { kind::wrap, last_page, E2BIG },
		     { kind::most, u64_max, EINVAL } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::one, DRM_OAC_BO_LOCAL, local_err },
		     { kind::flag, 2, EINVAL },
		     { kind::flag, 3, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "handle", role::out },
		 { "mmap_offset", role::out },
		 { "limit", role::out },
		 { "pad", role::pad } } });
}

TEST_F(matrix, bo_userptr)
{
	own_memory memory, read_only;
	const std::uint64_t at = memory.address();
	drm_oac_bo_userptr good = {};

	read_only.read_only();
	good.addr = at;
	good.size = 2 * page;
	walk({ "drm_oac_bo_userptr",
	       DRM_IOCTL_OAC_BO_USERPTR,
	       0,
	       [=] { return to_bytes(good); },
	       typed_undo<drm_oac_bo_userptr>([this](auto &, auto &now, int err) {
		       if (!err)
			       drop_buffer(now.handle);
	       }),
	       { { "addr",
		   role::range,
		   { { kind::zero, 0, EFAULT },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, at + 8, EINVAL },
		     { kind::extra, at + 2 * page, 0 },
		     { kind::over, at + 3 * page, EFAULT },
		     { kind::extra, read_only.address(), EFAULT },
		     { kind::extra, kernel_address, EFAULT },
		     { kind::wrap, last_page, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "size",
		   role::range,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, page + 8, EINVAL },
		     { kind::extra, own_memory::size, 0 },
		     { kind::over, own_memory::size + page, EFAULT },
		     { kind::wrap, last_page, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::one, DRM_OAC_USERPTR_READ_ONLY, 0 },
		     { kind::flag, 2, EINVAL },
		     { kind::flag, 3, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "handle", role::out },
		 { "limit", role::out },
		 { "pad", role::pad } } });
}

TEST_F(matrix, map)
{
	constexpr std::uint64_t va_end = 1ull << OAC_VA_BITS, size = 4 * page;
	drm_oac_map good = {};

	good.context = context_;
	good.handle = dev().buffer(2 * size);
	good.va = 1 << 24;
	good.offset = page;
	good.size = size;
	good.flags = DRM_OAC_MAP_READ;
	walk({ "drm_oac_map",
	       DRM_IOCTL_OAC_MAP,
	       0,
	       [=] { return to_bytes(good); },
	       typed_undo<drm_oac_map>([this](auto &, auto &now, int err) {
		       drm_oac_unmap unmap = { now.context, 0, now.va, now.size };

		       if (!err) {
			       EXPECT_EQ(dev()(unmap), 0);
		       }
	       }),
	       { { "context", role::id, context_ids() },
		 { "handle", role::id, handle_ids() },
		 { "va",
		   role::range,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, (1 << 24) + 8, EINVAL },
		     { kind::extra, page, 0 },
		     { kind::extra, va, EEXIST },
		     { kind::extra, va + ring_size - page, EEXIST },
		     { kind::extra, va_end - size, 0 },
		     { kind::over, va_end - size + page, EINVAL },
		     { kind::over, va_end, EINVAL },
		     { kind::wrap, last_page, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "offset",
		   role::range,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, page + 8, EINVAL },
		     { kind::extra, size, 0 },
		     { kind::over, size + page, EINVAL },
		     { kind::wrap, last_page, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "size",
		   role::range,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, page + 8, EINVAL },
		     { kind::extra, 2 * size - page, 0 },
		     { kind::over, 2 * size, EINVAL },
		     { kind::wrap, last_page, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, DRM_OAC_MAP_READ, 0 },
		     { kind::extra, DRM_OAC_MAP_WRITE, 0 },
		     { kind::extra, DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE, 0 },
		     { kind::flag, 4, EINVAL },
		     { kind::flag, 5, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "pad", role::pad },
		 { "limit", role::out },
		 { "pad2", role::pad } } });
}

TEST_F(matrix, unmap)
{
	constexpr std::uint64_t at = 1 << 24, size = 4 * page;
	const std::uint32_t handle = dev().buffer(size);
	const auto good = [this, handle] {
		drm_oac_map map = {};
		drm_oac_unmap arg = { context_, 0, at, size };

		map.context = context_;
		map.handle = handle;
		map.va = at;
		map.size = size;
		map.flags = DRM_OAC_MAP_READ;
		EXPECT_EQ(dev()(map), 0);
		return to_bytes(arg);
	};

	walk({ "drm_oac_unmap",
	       DRM_IOCTL_OAC_UNMAP,
	       0,
	       good,
	       typed_undo<drm_oac_unmap>([this](auto &was, auto &, int err) {
		       if (err) {
			       EXPECT_EQ(dev()(was), 0);
		       }
	       }),
	       { { "context", role::id, context_ids() },
		 { "pad", role::pad },
		 { "va",
		   role::range,
		   { { kind::zero, 0, ENOENT },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, at + 8, EINVAL },
		     { kind::extra, at + page, ENOENT },
		     { kind::extra, at - page, ENOENT },
		     { kind::over, 1ull << OAC_VA_BITS, ENOENT },
		     { kind::wrap, last_page, ENOENT },
		     { kind::most, u64_max, EINVAL } } },
		 { "size",
		   role::range,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, page + 8, EINVAL },
		     { kind::extra, size - page, ENOENT },
		     { kind::over, size + page, ENOENT },
		     { kind::wrap, last_page, ENOENT },
		     { kind::most, u64_max, EINVAL } } } } });
}

/* A context is open, so a good one gives EBUSY: the card keeps its firmware. */
TEST_F(matrix, firmware_load)
{
	std::vector<char> junk(page, 'x');
	const std::uint64_t at = address_of(junk.data());
	drm_oac_firmware_load good = {};

	good.data = at;
	good.size = junk.size();
	walk({ "drm_oac_firmware_load",
	       DRM_IOCTL_OAC_FIRMWARE_LOAD,
	       EBUSY,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "data",
		   role::range,
		   { { kind::zero, 0, EFAULT },
		     { kind::one, 1, EFAULT },
		     { kind::misaligned, at + 1, EBUSY },
		     { kind::extra, kernel_address, EFAULT },
		     { kind::wrap, u64_max - 3, EFAULT },
		     { kind::most, u64_max, EFAULT } } },
		 { "size",
		   role::count,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, EBUSY },
		     { kind::over, OAC_FW_IMAGE_SIZE_MAX + 1ull, EFBIG },
		     { kind::wrap, u64_max - at + 1, EFBIG },
		     { kind::most, u64_max, EFBIG } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, EBUSY },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "fail", role::out },
		 { "holder", role::out },
		 { "timeout_ms",
		   role::free,
		   { { kind::zero, 0, EBUSY },
		     { kind::one, 1, EBUSY },
		     { kind::most, u32_max, EBUSY } } } } });
}

} // namespace oac::abi
