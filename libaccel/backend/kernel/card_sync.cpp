// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fences of a card behind the oac module. All of them pass through DRM syncobjs of our file, which
// live for one call: what they held lives on in the sync_file, in the other syncobj, or in what the
// module has been told to store.
#include "card.hpp"

#include <cerrno>

#include <drm/oac_accel.h>

#include "../../src/error.hpp"

namespace accel::kernel
{

/* A handle in our file. */
class card::syncobj
{
public:
	/* A new one. */
	explicit syncobj(card &in) : card_(in)
	{
		drm_syncobj_create request = {};
		in.call(DRM_IOCTL_SYNCOBJ_CREATE, &request, "create a syncobj");
		handle_ = request.handle;
	}
	/* That of a descriptor. */
	syncobj(card &in, int fd) : card_(in)
	{
		drm_syncobj_handle request = {};
		request.fd = fd;
		const int result = in.try_call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
		if (result == -EINVAL || result == -EBADF)
			throw failure(EINVAL, in.name_ + ": the descriptor is no DRM syncobj");
		if (result < 0)
			in.fail(-result, "use a syncobj");
		handle_ = request.handle;
	}
	syncobj(const syncobj &) = delete;
	syncobj &operator=(const syncobj &) = delete;
	~syncobj()
	{
		drm_syncobj_destroy request = {};
		request.handle = handle_;
		card_.try_call(DRM_IOCTL_SYNCOBJ_DESTROY, &request);
	}
	std::uint32_t handle() const noexcept { return handle_; }

	/* Its one fence becomes that of a sync_file. */
	void load(int sync_file_fd)
	{
		drm_syncobj_handle request = {};
		request.handle = handle_;
		request.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
		request.fd = sync_file_fd;
		const int result = card_.try_call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
		if (result == -EINVAL || result == -EBADF)
			throw failure(EINVAL, card_.name_ + ": the descriptor is no sync_file");
		if (result < 0)
			card_.fail(-result, "use a sync_file");
	}
	/* Its one fence becomes that at a point of another. */
	void load(const syncobj &other, std::uint64_t point)
	{
		drm_syncobj_transfer request = {};
		request.src_handle = other.handle_;
		request.dst_handle = handle_;
		request.src_point = point;
		const int result = card_.try_call(DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
		if (result == -EINVAL)
			no_fence();
		if (result < 0)
			card_.fail(-result, "use a syncobj");
	}
	int sync_file()
	{
		drm_syncobj_handle request = {};
		request.handle = handle_;
		request.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
		request.fd = -1;
		const int result = card_.try_call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &request);
		if (result == -EINVAL)
			no_fence();
		if (result < 0)
			card_.fail(-result, "make a sync_file");
		return request.fd;
	}

private:
	[[noreturn]] void no_fence()
	{
		throw failure(EINVAL, card_.name_ + ": the syncobj has no fence at that point yet; "
						    "wait until one is submitted");
	}

	card &card_;
	std::uint32_t handle_ = 0;
};

void card::set_fence(std::uint32_t queue, std::uint32_t count, std::uint32_t syncobj_handle,
		     std::uint64_t point)
{
	drm_oac_queue_fence request = {};

	request.queue = queue;
	request.count = count;
	request.syncobj = syncobj_handle;
	request.point = point;
	call(DRM_IOCTL_OAC_QUEUE_FENCE, &request, "make a fence of a queue");
}

void card::queue_fence(std::uint32_t queue, std::uint32_t count, int syncobj_fd,
		       std::uint64_t point)
{
	require_sync();
	const syncobj to(*this, syncobj_fd);
	set_fence(queue, count, to.handle(), point);
}

int card::queue_sync_file(std::uint32_t queue, std::uint32_t count)
{
	require_sync();
	syncobj between(*this);
	set_fence(queue, count, between.handle(), 0);
	return between.sync_file();
}

int card::sync_file_of(int syncobj_fd, std::uint64_t point)
{
	require_sync();
	syncobj from(*this, syncobj_fd);
	if (point == 0)
		return from.sync_file();
	/* To export a point itself takes a newer kernel than to transfer it. */
	syncobj between(*this);
	between.load(from, point);
	return between.sync_file();
}

void card::follow_sync_file(const buffer_memory &memory, std::size_t offset, std::uint64_t value,
			    int sync_file_fd)
{
	require_sync();
	syncobj between(*this);
	between.load(sync_file_fd);
	drm_oac_sync_store request = {};
	request.syncobj = between.handle();
	request.handle = static_cast<std::uint32_t>(memory.handle);
	request.offset = offset;
	request.value = value;
	const int result = try_call(DRM_IOCTL_OAC_SYNC_STORE, &request);
	if (result == -EDQUOT)
		throw failure(EDQUOT, name_ + ": too many fences have not signalled yet; wait for "
					      "some");
	if (result < 0)
		fail(-result, "follow a fence");
}

/* Asked once: what card, module and kernel can do does not change while the node is open. */
void card::require_sync()
{
	if (has_sync_.load(std::memory_order_relaxed))
		return;
	if (!info().has_sync)
		throw failure(EOPNOTSUPP, name_ + ": this kernel or module has no fences; use "
						  "timelines, and accel_queue_fd() to poll");
	has_sync_.store(true, std::memory_order_relaxed);
}

} // namespace accel::kernel
