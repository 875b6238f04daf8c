// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "fenced.hpp"

#include <cstring>

#include <linux/sync_file.h>

namespace oac::abi
{

drm_oac_queue_create fenced_test::make_kernel_queue() const
{
	drm_oac_queue_create create = good_queue();

	std::memset(const_cast<char *>(rings_->at<char>()), 0, ring_size);
	create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
	create.doorbell_offset = u64_max;
	EXPECT_EQ(dev()(create), 0);
	EXPECT_NE(create.queue, 0u);
	EXPECT_EQ(create.doorbell_offset, 0u);
	return create;
}

void fenced_test::write(std::uint32_t count, const oac_cmd &cmd) const
{
	oac_cmd tagged = cmd;

	tagged.tag = count;
	std::memcpy(const_cast<char *>(rings_->at<char>(count % depth * sizeof(cmd))), &tagged,
		    sizeof(tagged));
}

void fenced_test::write_nops(std::uint32_t count, std::uint32_t how_many) const
{
	for (std::uint32_t i = 0; i < how_many; i++)
		write(count + i, {});
}

void fenced_test::write_timeline(std::uint32_t count, std::uint8_t opcode,
				 std::uint64_t value) const
{
	oac_cmd cmd = {};

	cmd.opcode = opcode;
	cmd.body.timeline.va = va + word_offset;
	cmd.body.timeline.value = value;
	write(count, cmd);
}

volatile std::uint64_t *fenced_test::word() const
{
	return rings_->at<std::uint64_t>(word_offset);
}

int fenced_test::ring(std::uint32_t queue, std::uint32_t tail) const
{
	drm_oac_queue_submit arg = { queue, DRM_OAC_SUBMIT_TAIL, tail, 0 };

	return dev().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &arg);
}

int fenced_test::arm(std::uint32_t queue, std::uint32_t seen) const
{
	drm_oac_queue_submit arg = { queue, DRM_OAC_SUBMIT_ARM, 0, seen };

	return dev().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &arg);
}

int fenced_test::wait(std::uint32_t queue, std::uint32_t seen, drm_oac_queue_wait *out) const
{
	drm_oac_queue_wait arg = {};

	arg.queue = queue;
	arg.seen = seen;
	arg.deadline_ns = deadline_ms(20000);
	const int err = dev()(arg);
	if (out)
		*out = arg;
	return err;
}

void fenced_test::wait_for(std::uint32_t queue, std::uint32_t completed) const
{
	drm_oac_queue_wait now = {};

	while (now.completed != completed && now.state == OAC_QUEUE_RUNNING)
		ASSERT_EQ(wait(queue, now.completed, &now), 0) << now.completed;
}

std::uint32_t fenced_test::syncobj() const
{
	drm_syncobj_create create = {};

	EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
	return create.handle;
}

int fenced_test::fence(std::uint32_t queue, std::uint32_t count, std::uint32_t syncobj,
		       std::uint64_t point, std::uint64_t timeout_ns) const
{
	drm_oac_queue_fence arg = { queue, count, syncobj, 0, point, timeout_ns };

	return dev().call(DRM_IOCTL_OAC_QUEUE_FENCE, &arg);
}

int fenced_test::store(std::uint32_t syncobj, std::uint32_t handle, std::uint64_t offset,
		       std::uint64_t value, std::uint64_t point) const
{
	drm_oac_sync_store arg = { syncobj, handle, point, offset, value, 0, 0 };

	return dev().call(DRM_IOCTL_OAC_SYNC_STORE, &arg);
}

int fenced_test::syncobj_wait(std::uint32_t syncobj, unsigned ms) const
{
	drm_syncobj_wait arg = {};

	arg.handles = reinterpret_cast<std::uintptr_t>(&syncobj);
	arg.count_handles = 1;
	arg.timeout_nsec = ms ? static_cast<std::int64_t>(deadline_ms(ms)) : 0;
	return dev().call(DRM_IOCTL_SYNCOBJ_WAIT, &arg);
}

int fenced_test::point_wait(std::uint32_t syncobj, std::uint64_t point, unsigned ms) const
{
	drm_syncobj_timeline_wait arg = {};

	arg.handles = reinterpret_cast<std::uintptr_t>(&syncobj);
	arg.points = reinterpret_cast<std::uintptr_t>(&point);
	arg.count_handles = 1;
	arg.timeout_nsec = ms ? static_cast<std::int64_t>(deadline_ms(ms)) : 0;
	return dev().call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &arg);
}

int fenced_test::point_signal(std::uint32_t syncobj, std::uint64_t point) const
{
	drm_syncobj_timeline_array arg = {};

	arg.handles = reinterpret_cast<std::uintptr_t>(&syncobj);
	arg.points = reinterpret_cast<std::uintptr_t>(&point);
	arg.count_handles = 1;
	return dev().call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &arg);
}

std::uint64_t fenced_test::timeline(std::uint32_t syncobj) const
{
	drm_syncobj_timeline_array arg = {};
	std::uint64_t point = 0;

	arg.handles = reinterpret_cast<std::uintptr_t>(&syncobj);
	arg.points = reinterpret_cast<std::uintptr_t>(&point);
	arg.count_handles = 1;
	EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_QUERY, &arg), 0);
	return point;
}

int fenced_test::sync_file(std::uint32_t syncobj) const
{
	drm_syncobj_handle arg = {};

	arg.handle = syncobj;
	arg.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), 0);
	return arg.fd;
}

int fenced_test::status(std::uint32_t syncobj) const
{
	const node file(sync_file(syncobj));
	sync_file_info info = {};

	EXPECT_EQ(file.call(SYNC_IOC_FILE_INFO, &info), 0);
	return info.status;
}

} // namespace oac::abi
