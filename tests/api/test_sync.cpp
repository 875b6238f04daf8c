// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fences of the rest of Linux: sync_files and DRM syncobjs, out of queues and into timelines. What
// others do with them is done here with DRM's own ioctls.
#include "fixture.hpp"

#include <chrono>
#include <thread>

#include <drm.h>
#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace
{

using namespace std::chrono_literals;

/// A DRM syncobj of a file of its own, as another program would have it.
class syncobj
{
public:
	explicit syncobj(const std::string &node) : node_(open(node.c_str(), O_RDWR | O_CLOEXEC))
	{
		drm_syncobj_create create{};
		call(DRM_IOCTL_SYNCOBJ_CREATE, &create);
		handle_ = create.handle;
	}
	accel::descriptor fd() const
	{
		drm_syncobj_handle request{};
		request.handle = handle_;
		request.fd = -1;
		call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &request);
		return accel::descriptor(request.fd);
	}
	void signal(std::uint64_t point) const
	{
		drm_syncobj_timeline_array request{};
		request.handles = reinterpret_cast<std::uintptr_t>(&handle_);
		request.points = reinterpret_cast<std::uintptr_t>(&point);
		request.count_handles = 1;
		call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &request);
	}
	/// Whether a point (0: the one fence) is signalled within some time.
	bool wait(std::uint64_t point, std::chrono::nanoseconds length) const
	{
		drm_syncobj_timeline_wait request{};
		timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		request.handles = reinterpret_cast<std::uintptr_t>(&handle_);
		request.points = reinterpret_cast<std::uintptr_t>(&point);
		request.count_handles = 1;
		request.timeout_nsec = now.tv_sec * 1'000'000'000 + now.tv_nsec + length.count();
		return ioctl(node_.get(), DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request) == 0;
	}

private:
	void call(unsigned long request, void *argument) const
	{
		EXPECT_EQ(ioctl(node_.get(), request, argument), 0) << strerror(errno);
	}

	accel::descriptor node_;
	std::uint32_t handle_ = 0;
};

bool is_signalled(const accel::descriptor &fence, std::chrono::milliseconds within = 0ms)
{
	pollfd fd{ fence.get(), POLLIN, 0 };
	return poll(&fd, 1, static_cast<int>(within.count())) == 1;
}

/// 1: signalled, 0: not yet, below 0: with an error.
int status_of(const accel::descriptor &fence)
{
	sync_file_info info{};
	EXPECT_EQ(ioctl(fence.get(), SYNC_IOC_FILE_INFO, &info), 0) << strerror(errno);
	return info.status;
}

class sync_test : public api::queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (HasFatalFailure())
			return;
		if (!number(ACCEL_NUMBER_FEATURE_SYNC))
			GTEST_SKIP() << "fences of Linux need the kernel driver";
		gate_.emplace(context());
	}

	/// Work that does not complete before gate_ is at value.
	void submit_gated(accel::queue &on, std::uint64_t value = 1)
	{
		ASSERT_EQ(on.try_wait(*gate_, value, 1), 0);
		ASSERT_EQ(on.try_nop(2), 0);
		ASSERT_EQ(on.submit(), 0);
	}

	std::optional<accel::timeline> gate_;
};

class no_sync_test : public api::queue_test
{};

TEST_F(no_sync_test, says_what_to_do_instead)
{
	if (number(ACCEL_NUMBER_FEATURE_SYNC))
		GTEST_SKIP() << "this backend has fences";
	accel::timeline timeline(context());
	int fd = -1;
	EXPECT_EQ(accel_queue_export_sync_file(queue().get(), &fd), -EOPNOTSUPP);
	EXPECT_NE(std::string_view(accel_error_text()).find("timeline"), std::string_view::npos);
	EXPECT_EQ(fd, -1);
	EXPECT_EQ(accel_queue_signal_syncobj(queue().get(), 0, 0), -EOPNOTSUPP);
	EXPECT_EQ(accel_timeline_import_sync_file(timeline.get(), 0, 1), -EOPNOTSUPP);
	EXPECT_EQ(accel_timeline_import_syncobj(timeline.get(), 0, 0, 1), -EOPNOTSUPP);
	EXPECT_EQ(timeline.value(), 0u);
	EXPECT_EQ(accel_queue_export_sync_file(nullptr, &fd), -EINVAL);
	EXPECT_EQ(accel_queue_signal_syncobj(nullptr, 0, 0), -EINVAL);
	EXPECT_EQ(accel_timeline_import_sync_file(nullptr, 0, 1), -EINVAL);
	EXPECT_EQ(accel_timeline_import_syncobj(nullptr, 0, 0, 1), -EINVAL);
}

TEST_F(sync_test, sync_file_signals_when_all_before_it_is_done)
{
	submit_gated(queue());
	const auto fence = queue().export_sync_file();
	EXPECT_NE(fcntl(fence.get(), F_GETFD) & FD_CLOEXEC, 0);
	EXPECT_FALSE(is_signalled(fence, 20ms));
	EXPECT_EQ(status_of(fence), 0);
	// What comes later is none of its business.
	ASSERT_EQ(queue().try_wait(*gate_, 2, 3), 0);
	ASSERT_EQ(queue().submit(), 0);
	ASSERT_EQ(gate_->signal(1), 0);
	EXPECT_TRUE(is_signalled(fence, 10s));
	EXPECT_EQ(status_of(fence), 1);
	ASSERT_EQ(gate_->signal(2), 0);
	EXPECT_EQ(api::collect(queue(), 3).size(), 3u);
}

TEST_F(sync_test, an_idle_queue_gives_a_signalled_one)
{
	EXPECT_TRUE(is_signalled(queue().export_sync_file(), 10s));
	EXPECT_DONE(api::run(queue(), [&](auto tag) { return queue().try_nop(tag); }));
	EXPECT_TRUE(is_signalled(queue().export_sync_file(), 10s));
}

TEST_F(sync_test, fence_raises_a_timeline_for_card_and_host)
{
	accel::timeline timeline(context());
	accel::queue other(context(), 16);
	auto word = memory().take<std::uint64_t>(1);

	submit_gated(queue());
	timeline.import_sync_file(queue().export_sync_file().get(), 5);
	ASSERT_EQ(other.try_wait(timeline, 5, 1), 0);
	ASSERT_EQ(other.try_fill(word.address, 8, std::uint64_t{ 42 }, 2), 0);
	ASSERT_EQ(other.submit(), 0);
	EXPECT_EQ(timeline.wait(5, 20ms), -ETIMEDOUT);
	EXPECT_EQ(word.host[0], 0u);

	std::thread host([&] { EXPECT_EQ(timeline.wait(5, 10s), 0) << accel_error_text(); });
	ASSERT_EQ(gate_->signal(1), 0);
	host.join();
	for (const auto &done : api::collect(other, 2))
		EXPECT_EQ(done.result, 0);
	EXPECT_EQ(word.host[0], 42u);
	EXPECT_EQ(timeline.value(), 5u);
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
}

TEST_F(sync_test, several_hosts_wake_and_lower_values_change_nothing)
{
	accel::timeline timeline(context());
	submit_gated(queue());
	const auto fence = queue().export_sync_file();
	timeline.import_sync_file(fence.get(), 3);
	timeline.import_sync_file(fence.get(), 7);
	timeline.import_sync_file(fence.get(), 2);
	std::vector<std::thread> hosts;
	for (std::uint64_t value : { 1, 3, 7, 7 })
		hosts.emplace_back([&, value] {
			EXPECT_EQ(timeline.wait(value, 10s), 0) << accel_error_text();
		});
	ASSERT_EQ(gate_->signal(1), 0);
	for (std::thread &host : hosts)
		host.join();
	EXPECT_EQ(timeline.value(), 7u);
	timeline.import_sync_file(fence.get(), 9);
	EXPECT_EQ(timeline.wait(9, 10s), 0) << accel_error_text();
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
}

TEST_F(sync_test, a_fence_that_fails_raises_nothing)
{
	accel::timeline timeline(context());
	accel::descriptor fence;
	{
		accel::queue doomed(context(), 16);
		submit_gated(doomed);
		fence = doomed.export_sync_file();
		timeline.import_sync_file(fence.get(), 1);
	}
	EXPECT_TRUE(is_signalled(fence, 10s));
	EXPECT_LT(status_of(fence), 0);
	EXPECT_EQ(timeline.wait(1, 50ms), -ETIMEDOUT);
	EXPECT_EQ(timeline.value(), 0u);

	// A failed command fails the fence as well.
	accel::queue broken(context(), 16);
	ASSERT_EQ(broken.try_fill(1ull << 46, 8, std::uint8_t{ 1 }, 1), 0);
	ASSERT_EQ(broken.submit(), 0);
	const auto failed = broken.export_sync_file();
	EXPECT_TRUE(is_signalled(failed, 10s));
	EXPECT_LT(status_of(failed), 0);
}

TEST_F(sync_test, cards_wait_for_each_other_by_sync_files)
{
	accel::device other = open_other();
	accel::context there(other);
	accel::queue far(there, 16);
	accel::timeline from_here(there);

	submit_gated(queue());
	from_here.import_sync_file(queue().export_sync_file().get(), 1);
	ASSERT_EQ(far.try_wait(from_here, 1, 1), 0);
	ASSERT_EQ(far.submit(), 0);
	accel::completion done{};
	EXPECT_EQ(far.wait({ &done, 1 }, 20ms), -ETIMEDOUT);
	ASSERT_EQ(gate_->signal(1), 0);
	EXPECT_EQ(far.wait({ &done, 1 }, 10s), 1) << accel_error_text();
	EXPECT_EQ(done.result, 0);
}

TEST_F(sync_test, syncobjs_are_signalled)
{
	const syncobj one(string(ACCEL_STRING_NODE)), line(string(ACCEL_STRING_NODE));
	submit_gated(queue());
	queue().signal_syncobj(one.fd().get());
	queue().signal_syncobj(line.fd().get(), 10);
	ASSERT_EQ(queue().try_wait(*gate_, 2, 3), 0);
	ASSERT_EQ(queue().submit(), 0);
	queue().signal_syncobj(line.fd().get(), 20);
	EXPECT_FALSE(one.wait(0, 20ms));
	ASSERT_EQ(gate_->signal(1), 0);
	EXPECT_TRUE(one.wait(0, 10s));
	EXPECT_TRUE(line.wait(10, 10s));
	EXPECT_FALSE(line.wait(20, 20ms));
	ASSERT_EQ(gate_->signal(2), 0);
	EXPECT_TRUE(line.wait(20, 10s));
	EXPECT_EQ(api::collect(queue(), 3).size(), 3u);
}

TEST_F(sync_test, points_of_syncobjs_raise_a_timeline)
{
	accel::timeline timeline(context());
	const syncobj line(string(ACCEL_STRING_NODE));
	const auto fd = line.fd();
	EXPECT_EQ(accel_timeline_import_syncobj(timeline.get(), fd.get(), 4, 1), -EINVAL);
	EXPECT_NE(std::string_view(accel_error_text()).find("no fence"), std::string_view::npos)
		<< accel_error_text();

	line.signal(4);
	timeline.import_syncobj(fd.get(), 4, 1);
	EXPECT_EQ(timeline.wait(1, 10s), 0) << accel_error_text();

	submit_gated(queue());
	queue().signal_syncobj(fd.get(), 8);
	timeline.import_syncobj(fd.get(), 8, 2);
	EXPECT_EQ(timeline.wait(2, 20ms), -ETIMEDOUT);
	ASSERT_EQ(gate_->signal(1), 0);
	EXPECT_EQ(timeline.wait(2, 10s), 0) << accel_error_text();

	const syncobj one(string(ACCEL_STRING_NODE));
	queue().signal_syncobj(one.fd().get());
	timeline.import_syncobj(one.fd().get(), 0, 3);
	EXPECT_EQ(timeline.wait(3, 10s), 0) << accel_error_text();
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
}

TEST_F(sync_test, what_is_no_fence_is_einval)
{
	accel::timeline timeline(context());
	const accel::descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
	for (int fd : { -1, null.get(), 1 << 20 }) {
		EXPECT_EQ(accel_timeline_import_sync_file(timeline.get(), fd, 1), -EINVAL);
		EXPECT_EQ(accel_timeline_import_syncobj(timeline.get(), fd, 0, 1), -EINVAL);
		EXPECT_EQ(accel_queue_signal_syncobj(queue().get(), fd, 0), -EINVAL);
	}
	EXPECT_EQ(accel_queue_export_sync_file(queue().get(), nullptr), -EINVAL);
	EXPECT_EQ(timeline.value(), 0u);
}

TEST_F(sync_test, a_timeline_may_go_before_its_fences)
{
	submit_gated(queue());
	{
		accel::timeline timeline(context());
		for (std::uint64_t i = 1; i <= 20; i++)
			timeline.import_sync_file(queue().export_sync_file().get(), i);
	}
	accel::buffer next(device(), api::page);
	ASSERT_EQ(gate_->signal(1), 0);
	EXPECT_EQ(api::collect(queue(), 2).size(), 2u);
	EXPECT_TRUE(is_signalled(queue().export_sync_file(), 10s));
	EXPECT_EQ(next.as<std::uint64_t>()[0], 0u);
}

} // namespace
