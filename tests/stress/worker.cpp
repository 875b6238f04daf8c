// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "worker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../isolation/raw_client.hpp"
#include "system.hpp"

namespace stress
{

namespace
{

using isolation::raw_client;

constexpr std::size_t page = raw_client::page;
/* In the client's memory: rings, then a word that never changes, then room for data. */
constexpr std::uint64_t never = 4 * page, data = 8 * page, data_size = 8 * page;
/* Where other buffers are mapped, one at a time. */
constexpr std::uint64_t window = 0x4000000000;

void check(int result, const char *what)
{
	if (result < 0)
		throw std::system_error(-result, std::generic_category(), what);
}

/* A GEM handle that goes with its scope. */
class buffer
{
public:
	buffer(raw_client &client, std::uint32_t handle) : client_(client), handle_(handle) {}
	~buffer()
	{
		drm_gem_close close = { handle_, 0 };

		client_.call(DRM_IOCTL_GEM_CLOSE, &close);
	}
	buffer(const buffer &) = delete;
	buffer &operator=(const buffer &) = delete;
	std::uint32_t handle() const { return handle_; }

private:
	raw_client &client_;
	std::uint32_t handle_;
};

/* A buffer at the window, for a scope. */
class at_window
{
public:
	at_window(raw_client &client, std::uint32_t handle, std::uint64_t size)
		: client_(client), size_(size)
	{
		check(client.map(handle, window, size), "map");
	}
	~at_window()
	{
		drm_oac_unmap unmap = { client_.context(), 0, window, size_ };

		client_.call(DRM_IOCTL_OAC_UNMAP, &unmap);
	}
	at_window(const at_window &) = delete;
	at_window &operator=(const at_window &) = delete;

private:
	raw_client &client_;
	std::uint64_t size_;
};

/* Names of nodes that change must be looked for each time. */
std::string pick(const job &what, std::mt19937 &random)
{
	const auto all = what.nodes.empty() ? nodes() : what.nodes;

	check(all.empty() ? -ENODEV : 0, "nodes");
	return all[random() % all.size()];
}

/* What a card says that went, comes, or was reset. */
bool is_loss(int code)
{
	return code == ENODEV || code == ENOENT || code == ESTALE || code == EHOSTDOWN ||
	       code == ETIME;
}

/* One opened card with a queue. */
class session
{
public:
	session(const job &what, std::mt19937 &random)
		: what_(what), random_(random), client_(pick(what, random)),
		  features_(client_.features())
	{
		const bool user = features_ & DRM_OAC_FEATURE_USER_SUBMIT && random_() % 3;

		check(client_.create_queue(user ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT), "queue");
		what_.done->opens++;
	}

	void step()
	{
		switch (random_() % 8) {
		case 0:
			return listen();
		case 1:
			return use_local();
		case 2:
			return use_own_memory();
		case 3:
			return give_away();
		case 4:
			return take();
		case 5:
			return fence();
		case 6:
			return wait_in_vain();
		default:
			return burst();
		}
	}

	/* Work that never ends, for whoever kills this process to clean up. */
	void hang()
	{
		client_.write_wait(tail_, tail_, raw_client::base + never, 1);
		client_.ring_doorbell(++tail_);
	}

private:
	bool has(std::uint64_t feature) const { return (features_ & feature) != 0; }

	void run(std::uint32_t count)
	{
		client_.ring_doorbell(tail_ += count);
		const auto now = client_.wait_for(tail_);
		if (now.state != 0)
			throw std::runtime_error("queue failed with " + std::to_string(now.status));
		if (now.completed != tail_)
			throw std::runtime_error("queue stands still");
		what_.done->commands += count;
		eventfd_write(what_.commands_done, 1);
	}

	/* Has the card write it and looks. */
	void fill_and_look(std::uint64_t address, std::byte *at, std::size_t size)
	{
		std::memset(at, 0, size);
		client_.write_fill(tail_, tail_, address, size);
		run(1);
		if (std::any_of(at, at + size, [](auto one) { return one != std::byte{ 0x66 }; }))
			throw std::runtime_error("the card's fill did not arrive");
	}

	void burst()
	{
		const auto count = 1 + random_() % (raw_client::depth - 1);

		for (std::uint32_t i = 0; i < count; i++) {
			if (i % 2)
				client_.write_copy(tail_ + i, i, raw_client::base + data + page,
						   raw_client::base + data, page);
			else
				client_.write_fill(tail_ + i, i, raw_client::base + data, page);
		}
		run(static_cast<std::uint32_t>(count));
		fill_and_look(raw_client::base + data, client_.memory().data() + data, data_size);
	}

	void use_local()
	{
		drm_oac_bo_create create = {};

		if (!has(DRM_OAC_FEATURE_LOCAL_MEMORY))
			return;
		create.size = (1 + random_() % 64) * page;
		create.flags = DRM_OAC_BO_LOCAL;
		check(client_.call(DRM_IOCTL_OAC_BO_CREATE, &create), "local memory");
		const buffer memory(client_, create.handle);
		const at_window map(client_, memory.handle(), create.size);
		/* The card empties it before, so what is not zero was somebody else's. */
		client_.write_copy(tail_, tail_, raw_client::base + data, window, page);
		client_.write_fill(tail_ + 1, tail_ + 1, window, create.size);
		run(2);
		const auto *copy = client_.memory().data() + data;
		if (std::any_of(copy, copy + page, [](auto one) { return one != std::byte{ 0 }; }))
			throw std::runtime_error("local memory was not empty");
		void *host = mmap(nullptr, create.size, PROT_READ | PROT_WRITE, MAP_SHARED,
				  client_.fd(), static_cast<off_t>(create.mmap_offset));
		check(host == MAP_FAILED ? -errno : 0, "mmap of local memory");
		*static_cast<volatile std::uint64_t *>(host) = 1;
		if (random_() % 2)
			munmap(host, create.size);	/* else it is left for the kill */
		what_.done->local++;
	}

	void use_own_memory()
	{
		const std::size_t size = (1 + random_() % 32) * page;
		drm_oac_bo_userptr pin = {};

		if (!has(DRM_OAC_FEATURE_USERPTR))
			return;
		void *own = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
		check(own == MAP_FAILED ? -errno : 0, "mmap");
		pin.addr = reinterpret_cast<std::uintptr_t>(own);
		pin.size = size;
		check(client_.call(DRM_IOCTL_OAC_BO_USERPTR, &pin), "userptr");
		{
			const buffer memory(client_, pin.handle);
			const at_window map(client_, memory.handle(), size);

			fill_and_look(window, static_cast<std::byte *>(own), size);
		}
		munmap(own, size);
		what_.done->userptr++;
	}

	/* A datagram with a descriptor; nobody has to take it. */
	void give_away()
	{
		int fd = -1;
		char byte = 0;
		iovec vector = { &byte, 1 };
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = {};
		msghdr message = {};

		if (!has(DRM_OAC_FEATURE_DMABUF))
			return;
		check(client_.export_memory(&fd), "export");
		message.msg_iov = &vector;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(fd));
		std::memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		sendmsg(what_.to_others, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		what_.done->exports++;
	}

	void take()
	{
		int fd = -1;
		char byte = 0;
		std::uint32_t handle = 0;
		iovec vector = { &byte, 1 };
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = {};
		msghdr message = {};

		message.msg_iov = &vector;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		if (recvmsg(what_.from_others, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
			return;
		const cmsghdr *head = CMSG_FIRSTHDR(&message);
		if (!head)
			return;
		std::memcpy(&fd, CMSG_DATA(head), sizeof(fd));
		const int result = client_.import_memory(fd, &handle);
		close(fd);
		/* Its card may be gone by now. */
		if (result == -ENODEV && what_.may_lose_card)
			return;
		check(result, "import");
		if (handle == client_.handle())
			return;		/* our own, come back: one handle */
		const buffer memory(client_, handle);
		const at_window map(client_, memory.handle(), raw_client::size);
		client_.write_copy(tail_, tail_, raw_client::base + data, window + data, page);
		run(1);
		what_.done->imports++;
	}

	void fence()
	{
		drm_syncobj_create create = {};
		drm_oac_queue_fence fence = {};
		drm_oac_sync_store store = {};
		drm_syncobj_wait wait = {};
		drm_syncobj_handle file = {};

		if (!has(DRM_OAC_FEATURE_SYNC))
			return;
		check(client_.call(DRM_IOCTL_SYNCOBJ_CREATE, &create), "syncobj");
		for (std::uint32_t i = 0; i < 4; i++)
			client_.write_fill(tail_ + i, i, raw_client::base + data, data_size);
		fence.queue = client_.queue();
		fence.count = tail_ + 4;
		fence.syncobj = file.handle = store.syncobj = create.handle;
		check(client_.call(DRM_IOCTL_OAC_QUEUE_FENCE, &fence), "fence");
		store.handle = client_.handle();
		store.offset = never + 64;
		store.value = ++stored_;
		check(client_.call(DRM_IOCTL_OAC_SYNC_STORE, &store), "store");
		what_.done->stores++;
		file.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
		check(client_.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file), "sync_file");
		run(4);
		wait.handles = reinterpret_cast<std::uintptr_t>(&create.handle);
		wait.count_handles = 1;
		wait.timeout_nsec = INT64_MAX;
		check(client_.call(DRM_IOCTL_SYNCOBJ_WAIT, &wait), "wait for a fence");
		if (random_() % 4)
			close(file.fd);
		drm_syncobj_destroy destroy = { create.handle, 0 };
		if (random_() % 4)
			client_.call(DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
		what_.done->fences++;
	}

	void wait_in_vain()
	{
		timespec now = {};
		drm_oac_queue_wait wait = {};

		clock_gettime(CLOCK_MONOTONIC, &now);
		wait.queue = client_.queue();
		wait.seen = tail_;
		wait.deadline_ns = static_cast<std::uint64_t>(now.tv_sec) * 1000000000 +
				   static_cast<std::uint64_t>(now.tv_nsec) +
				   random_() % 20 * 1000000;
		const int result = client_.call(DRM_IOCTL_OAC_QUEUE_WAIT, &wait);
		if (result != -ETIMEDOUT)
			check(result ? result : -EPROTO, "wait for nothing");
		what_.done->waits++;
	}

	void listen()
	{
		const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		drm_oac_queue_eventfd set = { client_.queue(), event };

		check(event < 0 ? -errno : 0, "eventfd");
		const int result = client_.call(DRM_IOCTL_OAC_QUEUE_EVENTFD, &set);
		close(event);	/* the queue has it */
		check(result, "set eventfd");
		what_.done->eventfds++;
	}

	const job &what_;
	std::mt19937 &random_;
	raw_client client_;
	std::uint64_t features_, stored_ = 0;
	std::uint32_t tail_ = 0;
};

} // namespace

void work(const job &what)
{
	std::mt19937 random(what.seed);

	for (;;) {
		try {
			session now(what, random);

			for (auto steps = 5 + random() % 60; steps; steps--)
				now.step();
			if (random() % 4 == 0)
				now.hang();
		} catch (const std::system_error &error) {
			const int code = error.code().value();

			if (!what.may_lose_card || !is_loss(code)) {
				std::fprintf(stderr, "worker %u: %s\n", what.seed, error.what());
				_exit(1);
			}
			what.done->gone++;
			std::this_thread::yield();
		} catch (const std::exception &error) {
			std::fprintf(stderr, "worker %u: %s\n", what.seed, error.what());
			_exit(1);
		}
	}
}

} // namespace stress
