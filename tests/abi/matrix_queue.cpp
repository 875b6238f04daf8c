// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tables of the matrix: queues, their doorbells and waits, fences.
#include "matrix.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace oac::abi
{

namespace
{

/* A descriptor that was ours and is not any more. */
std::uint64_t closed_descriptor()
{
	const int fd = eventfd(0, EFD_CLOEXEC);

	close(fd);
	return static_cast<std::uint32_t>(fd);
}

} // namespace

/* What one of the three ring addresses must not be. */
std::vector<value> matrix::ring_addresses(std::uint64_t good, std::uint64_t length)
{
	return { { kind::zero, 0, EINVAL },
		 { kind::one, 1, EINVAL },
		 { kind::misaligned, good + 8, EINVAL },
		 { kind::extra, va - ring_align, EINVAL },
		 { kind::extra, va + ring_size - length, 0 },
		 { kind::over, va + ring_size - length + ring_align, EINVAL },
		 { kind::extra, 1ull << OAC_VA_BITS, EINVAL },
		 { kind::wrap, u64_max - ring_align + 1, EINVAL },
		 { kind::most, u64_max, EINVAL } };
}

TEST_F(matrix, queue_create)
{
	const std::uint32_t too_deep = dev().info().max_depth_log2 + 1;
	const int user_err = has(DRM_OAC_FEATURE_USER_SUBMIT) ? 0 : EOPNOTSUPP;
	drm_oac_queue_create good = good_queue();

	good.flags = queue_flags();
	walk({ "drm_oac_queue_create",
	       DRM_IOCTL_OAC_QUEUE_CREATE,
	       0,
	       [=] { return to_bytes(good); },
	       typed_undo<drm_oac_queue_create>([this](auto &, auto &now, int err) {
		       if (!err)
			       drop_queue(now.queue);
	       }),
	       { { "context", role::id, context_ids() },
		 { "depth_log2",
		   role::count,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, 1, 0 },
		     { kind::extra, too_deep - 1, EINVAL }, /* more than is mapped */
		     { kind::over, too_deep, EINVAL },
		     { kind::extra, 32, EINVAL },
		     { kind::extra, 64 + depth_log2, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "sq_va", role::range, ring_addresses(sq_va, depth * sizeof(oac_cmd)) },
		 { "cq_va", role::range, ring_addresses(cq_va, depth * sizeof(oac_completion)) },
		 { "tail_va", role::range, ring_addresses(tail_va, ring_align) },
		 { "priority",
		   role::count,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, 0 },
		     { kind::extra, OAC_PRIORITY_MAX, 0 },
		     { kind::over, OAC_PRIORITY_MAX + 1, EINVAL },
		     { kind::extra, 256, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, user_err },
		     { kind::one, DRM_OAC_QUEUE_KERNEL_SUBMIT, 0 },
		     { kind::flag, 2, EINVAL },
		     { kind::flag, 3, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "queue", role::out },
		 { "pad", role::pad },
		 { "doorbell_offset", role::out },
		 { "weight",
		   role::count,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, 0 },
		     { kind::extra, OAC_WEIGHT_MAX, 0 },
		     { kind::over, OAC_WEIGHT_MAX + 1, EINVAL },
		     { kind::extra, 0x10040, EINVAL }, /* 64 in 16 bits */
		     { kind::most, u32_max, EINVAL } } },
		 { "limit", role::out } } });
}

TEST_F(matrix, queue_destroy)
{
	const auto good = [this] {
		drm_oac_queue_destroy arg = { new_queue(queue_flags()), 0 };

		return to_bytes(arg);
	};

	walk({ "drm_oac_queue_destroy",
	       DRM_IOCTL_OAC_QUEUE_DESTROY,
	       0,
	       good,
	       typed_undo<drm_oac_queue_destroy>([this](auto &was, auto &, int err) {
		       if (err)
			       drop_queue(was.queue);
	       }),
	       { { "queue", role::id, queue_ids() }, { "pad", role::pad } } });
}

/* Nothing has completed, and 1 has been seen: there is news. */
TEST_F(matrix, queue_wait)
{
	drm_oac_queue_wait good = {};

	good.queue = new_queue(queue_flags());
	good.seen = 1;
	walk({ "drm_oac_queue_wait",
	       DRM_IOCTL_OAC_QUEUE_WAIT,
	       0,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "queue", role::id, queue_ids() },
		 { "seen",
		   role::free,
		   { { kind::zero, 0, ETIMEDOUT },
		     { kind::one, 1, 0 },
		     { kind::most, u32_max, 0 } } },
		 { "deadline_ns",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } },
		 { "completed", role::out },
		 { "state", role::out },
		 { "status", role::out },
		 { "taken", role::out },
		 { "fault_addr", role::out } } });
}

TEST_F(matrix, queue_eventfd)
{
	const node event(eventfd(0, EFD_CLOEXEC));
	const node null(::open("/dev/null", O_RDWR | O_CLOEXEC));
	const int zero_err = fcntl(0, F_GETFD) < 0 ? EBADF : EINVAL;
	drm_oac_queue_eventfd good = { new_queue(queue_flags()), event.fd() };

	walk({ "drm_oac_queue_eventfd",
	       DRM_IOCTL_OAC_QUEUE_EVENTFD,
	       0,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "queue", role::id, queue_ids() },
		 { "fd",
		   role::id,
		   { { kind::zero, 0, zero_err },
		     { kind::most, u32_max, 0 }, /* -1: none */
		     { kind::extra, u32_max - 1, EBADF },
		     { kind::extra, 0x7fffffff, EBADF },
		     { kind::extra, 0x80000000u, EBADF },
		     { kind::owner, null.fd(), EINVAL },
		     { kind::owner, dev().fd(), EINVAL },
		     { kind::closed, closed_descriptor, EBADF } } } } });
}

/* On a queue for the driver's doorbell, whose ring is full of NOPs. */
TEST_F(matrix, queue_submit)
{
	const std::uint32_t users = has(DRM_OAC_FEATURE_USER_SUBMIT) ? new_queue(0) : 0;
	const int users_err = users ? EINVAL : ENOENT;
	const auto good = [this] {
		drm_oac_queue_submit arg = {};

		arg.queue = new_queue(DRM_OAC_QUEUE_KERNEL_SUBMIT);
		arg.flags = DRM_OAC_SUBMIT_TAIL | DRM_OAC_SUBMIT_ARM;
		return to_bytes(arg);
	};
	auto ids = queue_ids();

	ids.push_back({ kind::extra, users, users_err });
	walk({ "drm_oac_queue_submit",
	       DRM_IOCTL_OAC_QUEUE_SUBMIT,
	       0,
	       good,
	       typed_undo<drm_oac_queue_submit>(
		       [this](auto &was, auto &, int) { drop_queue(was.queue); }),
	       { { "queue", role::id, ids },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, EINVAL },
		     { kind::one, DRM_OAC_SUBMIT_TAIL, 0 },
		     { kind::extra, DRM_OAC_SUBMIT_ARM, 0 },
		     { kind::flag, 4, EINVAL },
		     { kind::flag, 7, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "tail",
		   role::count,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, 0 },
		     { kind::extra, depth, 0 },
		     { kind::over, depth + 1, EINVAL },
		     { kind::wrap, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } }, /* behind the last */
		 { "seen",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u32_max, 0 } } } } });
}

TEST_F(matrix, queue_fence)
{
	drm_oac_queue_fence good = {};

	if (!has(DRM_OAC_FEATURE_SYNC))
		GTEST_SKIP() << "DRM_OAC_FEATURE_SYNC is missing";
	good.queue = new_queue(queue_flags());
	good.syncobj = new_syncobj(0);
	walk({ "drm_oac_queue_fence",
	       DRM_IOCTL_OAC_QUEUE_FENCE,
	       0,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "queue", role::id, queue_ids() },
		 { "count",
		   role::count,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, 0 },
		     { kind::extra, depth, 0 },
		     { kind::over, depth + 1, EINVAL },
		     { kind::wrap, 0x7fffffff, EINVAL },
		     { kind::most, u32_max, 0 } } }, /* long reached */
		 { "syncobj", role::id, syncobj_ids() },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "point",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } },
		 { "timeout_ns",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } } } });
}

/* From a timeline that stands at 5 into a buffer of one page. */
TEST_F(matrix, sync_store)
{
	drm_oac_sync_store good = {};

	if (!has(DRM_OAC_FEATURE_SYNC))
		GTEST_SKIP() << "DRM_OAC_FEATURE_SYNC is missing";
	good.syncobj = new_syncobj(5);
	good.handle = dev().buffer(page);
	good.point = 5;
	good.value = 1;
	walk({ "drm_oac_sync_store",
	       DRM_IOCTL_OAC_SYNC_STORE,
	       0,
	       [=] { return to_bytes(good); },
	       nothing,
	       { { "syncobj", role::id, syncobj_ids() },
		 { "handle", role::id, handle_ids() },
		 { "point",
		   role::count,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, 0 },
		     { kind::over, 6, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "offset",
		   role::range,
		   { { kind::zero, 0, 0 },
		     { kind::one, 1, EINVAL },
		     { kind::misaligned, 4, EINVAL },
		     { kind::extra, page - 8, 0 },
		     { kind::extra, page - 4, EINVAL },
		     { kind::over, page, EINVAL },
		     { kind::wrap, u64_max - 7, EINVAL },
		     { kind::most, u64_max, EINVAL } } },
		 { "value",
		   role::free,
		   { { kind::zero, 0, 0 }, { kind::one, 1, 0 }, { kind::most, u64_max, 0 } } },
		 { "flags",
		   role::flags,
		   { { kind::zero, 0, 0 },
		     { kind::flag, 1, EINVAL },
		     { kind::extra, 0x80000000u, EINVAL },
		     { kind::most, u32_max, EINVAL } } },
		 { "pad", role::pad } } });
}

} // namespace oac::abi
