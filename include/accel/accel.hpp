// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// C++20 handles over accel.h: header only, nothing of it is in the library's ABI. Handles own what
// they name and are move-only; a child borrows its parent, which must outlive it (declare device,
// context, buffer, mapping, queue in this order and destructors do the right thing). Set-up throws
// std::system_error with accel_error_text() in its message; the data path is noexcept and returns
// what the C call returned. Threads: as in accel.h.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "accel.h"
#include "core.hpp"
#include "health.hpp"
#include "telemetry.hpp"

namespace accel
{

using completion = ::accel_completion;
using type = ::accel_type;
using requant = ::accel_requant;
using gemm = ::accel_gemm;
using conv2d = ::accel_conv2d;
using max_pool = ::accel_max_pool;
using client = ::accel_client;
using usage = ::accel_usage;
using buffer_kind = enum ::accel_buffer_kind;

/// Rights of a mapping.
inline constexpr unsigned map_read = ACCEL_MAP_READ;
inline constexpr unsigned map_write = ACCEL_MAP_WRITE;

/// The card will not write wrapped memory.
inline constexpr unsigned wrap_read_only = ACCEL_WRAP_READ_ONLY;

/// Names of all cards, each good for device(). Throws EINVAL on a malformed environment.
inline std::vector<std::string> enumerate()
{
	::accel_device_list *raw = nullptr;
	check(::accel_device_list_create(&raw));
	detail::handle<::accel_device_list, ::accel_device_list_free> list(raw);

	std::vector<std::string> names;
	for (std::size_t i = 0; i < ::accel_device_list_count(list.get()); i++)
		names.emplace_back(::accel_device_list_name(list.get(), i));
	return names;
}

/// An open card. Any thread may use it.
class device
{
public:
	/// Takes any name that accel_device_open() takes. Throws ENODEV, EACCES, EBUSY, EPROTO.
	explicit device(const std::string &name) { open(name.c_str()); }
	/// The first card.
	device() { open(nullptr); }

	/// Nothing when absent.
	std::optional<std::string> string(::accel_string which) const
	{
		const char *text = ::accel_device_string(get(), which);
		return text ? std::optional<std::string>(text) : std::nullopt;
	}

	/// Nothing when not known for this device.
	std::optional<std::uint64_t> number(::accel_number which) const
	{
		std::uint64_t value = 0;
		int result = ::accel_device_number(get(), which, &value);
		if (result == -ENODATA)
			return std::nullopt;
		check(result);
		return value;
	}

	/// Blocks until the card runs it. Throws EPERM, EBUSY, EBADMSG (refused; no firmware now).
	void load_firmware(std::span<const std::byte> image, timeout t = {})
	{
		check(::accel_firmware_load(get(), image.data(), image.size(), t.ns()));
	}

	/// The last one there is if the card does not answer in time: see telemetry::age().
	telemetry read_telemetry(timeout t) const
	{
		::accel_telemetry *raw = nullptr;
		check(::accel_telemetry_read_within(get(), t.ns(), &raw));
		return telemetry(raw);
	}
	telemetry read_telemetry() const
	{
		::accel_telemetry *raw = nullptr;
		check(::accel_telemetry_read(get(), &raw));
		return telemetry(raw);
	}

	/// Who uses the card, as far as this user may see.
	std::vector<client> clients() const
	{
		std::vector<client> all(16);
		for (;;) {
			const auto count = static_cast<std::size_t>(check(::accel_device_clients(
				get(), all.data(), static_cast<int>(all.size()))));
			const bool has_all = count <= all.size();
			all.resize(count);
			if (has_all)
				return all;
		}
	}

	/// At most max events from sequence number `from` on, oldest first.
	std::vector<event> events(std::uint64_t from = 0, int max = 64) const
	{
		std::vector<event> all(max > 0 ? static_cast<std::size_t>(max) : 0);
		all.resize(static_cast<std::size_t>(
			check(::accel_events_read(get(), from, all.data(), max))));
		return all;
	}

	/// The same and those to come, and the driver's own, one by one; see event_stream.
	event_stream watch_events(std::uint64_t from = 0) const { return { get(), from }; }

	/// Waits for nothing and nobody. On a lost card, too.
	accel::health health() const
	{
		accel::health now{};
		check(::accel_device_health(get(), &now));
		return now;
	}

	rung_history history(rung of) const
	{
		rung_history all{};
		check(::accel_device_rung(get(), of, &all));
		return all;
	}

	/// Until the card works. Throws EPERM, EIO (no rung helped), ENODEV, ETIMEDOUT.
	void recover(timeout t = {}) { check(::accel_device_recover(get(), t.ns())); }

	/// Every context of every process is lost. Throws EPERM, EACCES, EOPNOTSUPP, EIO.
	void reset(rung by, timeout t = {}) { check(::accel_device_reset(get(), by, t.ns())); }

	/// The mask of engines that gave a wrong answer. Throws EPERM.
	std::uint64_t self_test(timeout t = {})
	{
		std::uint64_t failed = 0;
		check(::accel_device_self_test(get(), &failed, t.ns()));
		return failed;
	}

	/// 0, or -EBUSY while contexts, buffers or event streams exist: it is then open still.
	int close() noexcept { return detail::close(handle_, ::accel_device_close); }
	::accel_device *get() const noexcept { return handle_.get(); }

private:
	void open(const char *name)
	{
		::accel_device *raw = nullptr;
		check(::accel_device_open(name, &raw));
		handle_.reset(raw);
	}

	detail::handle<::accel_device, ::accel_device_close> handle_;
};

/// An isolated device address space. Borrows the device.
class context
{
public:
	/// Throws ENOSPC, EHOSTDOWN.
	explicit context(const device &parent)
	{
		::accel_context *raw = nullptr;
		check(::accel_context_create(parent.get(), &raw));
		handle_.reset(raw);
	}

	/// What it holds and has spent.
	::accel_usage usage() const
	{
		::accel_usage now{};
		check(::accel_context_usage(get(), &now));
		return now;
	}

	/// Whether a reset of the card ended it: calls with it then give ESTALE.
	accel::lost lost() const
	{
		return static_cast<accel::lost>(check(::accel_context_lost(get())));
	}

	/// 0, or -EBUSY while queues or timelines exist: it is then open still.
	int close() noexcept { return detail::close(handle_, ::accel_context_destroy); }
	::accel_context *get() const noexcept { return handle_.get(); }

private:
	detail::handle<::accel_context, ::accel_context_destroy> handle_;
};

/// Memory that cards can reach. Borrows the device; spans live as long as it.
class buffer
{
public:
	/// Zeroed host memory; size is rounded up to whole pages. Throws EINVAL, ENOMEM.
	buffer(const device &parent, std::size_t size)
	{
		make([&](auto raw) { return ::accel_buffer_alloc(parent.get(), size, raw); });
	}

	/// The card's local memory, zeroed. Throws ENOSPC, EDQUOT, EOPNOTSUPP.
	static buffer local(const device &parent, std::size_t size)
	{
		buffer made;
		made.make([&](auto raw) {
			return ::accel_buffer_alloc_local(parent.get(), size, raw);
		});
		return made;
	}

	/// The caller's own whole pages, which stay mapped for as long. Throws EFAULT, EDQUOT,
	/// EOPNOTSUPP.
	static buffer wrap(const device &parent, std::span<std::byte> memory, unsigned flags = 0)
	{
		buffer made;
		made.make([&](auto raw) {
			return ::accel_buffer_wrap(parent.get(), memory.data(), memory.size(),
						   flags, raw);
		});
		return made;
	}

	/// Memory of somebody else; fd stays the caller's. Throws EINVAL, EOPNOTSUPP.
	static buffer import_fd(const device &parent, int fd)
	{
		buffer made;
		made.make([&](auto raw) { return ::accel_buffer_import(parent.get(), fd, raw); });
		return made;
	}

	/// A dma-buf or a memory file, which keeps the memory alive. Throws EOPNOTSUPP.
	descriptor export_fd() const
	{
		int fd = -1;
		check(::accel_buffer_export(get(), &fd));
		return descriptor(fd);
	}

	buffer_kind kind() const noexcept { return ::accel_buffer_kind(get()); }
	std::size_t size() const noexcept { return ::accel_buffer_size(get()); }
	std::span<std::byte> bytes() const noexcept { return as<std::byte>(); }

	/// The whole buffer as elements of T; empty if imported from one who allows no mapping.
	template <class T>
	std::span<T> as() const noexcept
	{
		static_assert(std::is_trivially_copyable_v<T>);
		auto *first = static_cast<T *>(::accel_buffer_host(get()));
		return { first, first ? size() / sizeof(T) : 0 };
	}

	/// 0, or -EBUSY while it is mapped: it is then there still.
	int close() noexcept { return detail::close(handle_, ::accel_buffer_free); }
	::accel_buffer *get() const noexcept { return handle_.get(); }

private:
	buffer() noexcept = default;
	template <class Call>
	void make(const Call &call)
	{
		::accel_buffer *raw = nullptr;
		check(call(&raw));
		handle_.reset(raw);
	}

	detail::handle<::accel_buffer, ::accel_buffer_free> handle_;
};

/// Access of a context to a part of a buffer, for as long as it lives. Borrows both.
class mapping
{
public:
	/// Whole pages; size 0 means up to the end. Throws EINVAL, ENOSPC, EDQUOT, EACCES, EXDEV.
	mapping(const context &user, const buffer &memory, unsigned flags = map_read | map_write,
		std::size_t offset = 0, std::size_t size = 0)
		: context_(user.get())
	{
		check(::accel_buffer_map(context_, memory.get(), offset, size, flags, &address_));
	}

	mapping(mapping &&other) noexcept
		: context_(std::exchange(other.context_, nullptr)), address_(other.address_)
	{
	}

	mapping &operator=(mapping &&other) noexcept
	{
		std::swap(context_, other.context_);
		std::swap(address_, other.address_);
		return *this;
	}

	~mapping() { static_cast<void>(unmap()); }

	/// Commands that still use it fault. 0 also if it is unmapped already.
	int unmap() noexcept
	{
		::accel_context *from = std::exchange(context_, nullptr);
		return from ? ::accel_buffer_unmap(from, address_) : 0;
	}

	/// Device address of the first mapped byte.
	std::uint64_t address() const noexcept { return address_; }

private:
	::accel_context *context_;
	std::uint64_t address_ = 0;
};

/// A 64-bit value that queues of the context and the host signal and wait for.
class timeline
{
public:
	explicit timeline(const context &parent)
	{
		::accel_timeline *raw = nullptr;
		check(::accel_timeline_create(parent.get(), &raw));
		handle_.reset(raw);
	}

	/// Queues of that context may use it from now on; it outlives the timeline.
	void share(const context &other) { check(::accel_timeline_share(get(), other.get())); }

	/// It rises to value once the fence of a sync_file signals.
	void import_sync_file(int fd, std::uint64_t value)
	{
		check(::accel_timeline_import_sync_file(get(), fd, value));
	}

	/// The same for what is at a point of a DRM syncobj; point 0: its one fence.
	void import_syncobj(int fd, std::uint64_t point, std::uint64_t value)
	{
		check(::accel_timeline_import_syncobj(get(), fd, point, value));
	}

	std::uint64_t value() const noexcept { return ::accel_timeline_value(get()); }
	/// 0, or -EINVAL if the value would go back.
	int signal(std::uint64_t value) noexcept { return ::accel_timeline_signal(get(), value); }
	/// 0, -ETIMEDOUT, -ESTALE or -ENODEV.
	int wait(std::uint64_t value, timeout t = {}) noexcept
	{
		return ::accel_timeline_wait(get(), value, t.ns());
	}

	::accel_timeline *get() const noexcept { return handle_.get(); }

private:
	detail::handle<::accel_timeline, ::accel_timeline_destroy> handle_;
};

/// Commands in order, completions in order. Threads: as in accel.h. Borrows the context.
class queue
{
public:
	/// depth 0: 256. Throws EINVAL, EPERM (priority), ENOSPC.
	explicit queue(const context &parent, unsigned depth = 0, unsigned priority = 1)
	{
		::accel_queue *raw = nullptr;
		check(::accel_queue_create(parent.get(), depth, priority, &raw));
		handle_.reset(raw);
	}

	/// Zero-initialise options before filling. Throws as above, and EINVAL for what is unknown.
	queue(const context &parent, const ::accel_queue_options &options)
	{
		::accel_queue *raw = nullptr;
		check(::accel_queue_create_with(parent.get(), &options, &raw));
		handle_.reset(raw);
	}

	// try_*: 0, -EAGAIN when depth commands are outstanding, -EINVAL. Nothing reaches the
	// card before submit().
	int try_nop(std::uint32_t tag) noexcept { return ::accel_queue_nop(get(), tag); }
	int try_barrier(std::uint32_t tag) noexcept { return ::accel_queue_barrier(get(), tag); }

	int try_copy(std::uint64_t destination, std::uint64_t source, std::uint64_t size,
		     std::uint32_t tag) noexcept
	{
		return ::accel_queue_copy(get(), destination, source, size, tag);
	}

	int try_copy_2d(std::uint64_t destination, std::uint64_t destination_pitch,
			std::uint64_t source, std::uint64_t source_pitch, std::uint64_t row_size,
			std::uint32_t rows, std::uint32_t tag) noexcept
	{
		return ::accel_queue_copy_2d(get(), destination, destination_pitch, source,
					     source_pitch, row_size, rows, tag);
	}

	/// The pattern is as wide as its type: 1, 2, 4 or 8 bytes.
	template <class Pattern>
	int try_fill(std::uint64_t destination, std::uint64_t size, Pattern pattern,
		     std::uint32_t tag) noexcept
	{
		static_assert(std::is_unsigned_v<Pattern>);
		return ::accel_queue_fill(get(), destination, size, pattern, sizeof(Pattern), tag);
	}

	/// address 0: the time goes to completion.info alone.
	int try_timestamp(std::uint64_t address, std::uint32_t tag) noexcept
	{
		return ::accel_queue_timestamp(get(), address, tag);
	}

	int try_signal(const timeline &t, std::uint64_t value, std::uint32_t tag) noexcept
	{
		return ::accel_queue_signal(get(), t.get(), value, tag);
	}

	int try_wait(const timeline &t, std::uint64_t value, std::uint32_t tag) noexcept
	{
		return ::accel_queue_wait_timeline(get(), t.get(), value, tag);
	}

	int try_exec(const gemm &op, std::uint32_t tag) noexcept
	{
		return ::accel_queue_gemm(get(), &op, tag);
	}

	int try_exec(const conv2d &op, std::uint32_t tag) noexcept
	{
		return ::accel_queue_conv2d(get(), &op, tag);
	}

	int try_exec(const max_pool &op, std::uint32_t tag) noexcept
	{
		return ::accel_queue_max_pool(get(), &op, tag);
	}

	int try_relu(type element, std::uint64_t out, std::uint64_t a, std::uint64_t count,
		     std::uint32_t tag) noexcept
	{
		return ::accel_queue_relu(get(), element, out, a, count, tag);
	}

	int try_add(type element, std::uint64_t out, std::uint64_t a, std::uint64_t b,
		    std::uint64_t count, std::uint32_t tag) noexcept
	{
		return ::accel_queue_add(get(), element, out, a, b, count, tag);
	}

	int try_softmax(std::uint64_t out, std::uint64_t in, std::uint32_t rows, std::uint32_t cols,
			std::uint32_t tag) noexcept
	{
		return ::accel_queue_softmax(get(), out, in, rows, cols, tag);
	}

	/// Hands all written commands to the card. 0, -ESTALE or -ENODEV.
	int submit() noexcept { return ::accel_queue_submit(get()); }

	/// One completion if there is one. -ESTALE and -ENODEV show in reap() only.
	std::optional<completion> poll() noexcept
	{
		completion one;
		return ::accel_queue_reap(get(), &one, 1) == 1 ? std::optional(one) : std::nullopt;
	}

	/// How many were taken without blocking, -ESTALE (lost, and all completions taken) or -ENODEV.
	int reap(std::span<completion> to) noexcept
	{
		return ::accel_queue_reap(get(), to.data(), static_cast<int>(to.size()));
	}

	/// As reap(), for at least one: 1.., -ETIMEDOUT, -EIO (in error, nothing more),
	/// -ESTALE, -ENODEV.
	int wait(std::span<completion> to, timeout t = {}) noexcept
	{
		return ::accel_queue_wait(get(), to.data(), static_cast<int>(to.size()), t.ns());
	}

	unsigned outstanding() const noexcept { return ::accel_queue_outstanding(get()); }

	/// Readable after an interrupt; owned by the queue.
	int fd()
	{
		int fd = -1;
		check(::accel_queue_fd(get(), &fd));
		return fd;
	}

	/// A sync_file that signals when all that was submitted so far has completed.
	descriptor export_sync_file()
	{
		int fd = -1;
		check(::accel_queue_export_sync_file(get(), &fd));
		return descriptor(fd);
	}

	/// The same as a fence of a DRM syncobj, or as a point of its timeline.
	void signal_syncobj(int fd, std::uint64_t point = 0)
	{
		check(::accel_queue_signal_syncobj(get(), fd, point));
	}

	/// 1: completions are there already, 0: one interrupt will come, or -ENODEV.
	int arm() noexcept { return ::accel_queue_arm(get()); }

	::accel_queue *get() const noexcept { return handle_.get(); }

private:
	detail::handle<::accel_queue, ::accel_queue_destroy> handle_;
};

/// Copies from one context to another, usually of two cards, through host memory. Borrows both.
class stage
{
public:
	stage(const context &source, const context &destination)
	{
		::accel_stage *raw = nullptr;
		check(::accel_stage_create(source.get(), destination.get(), &raw));
		handle_.reset(raw);
	}

	/// Blocks. Throws EIO (a card refused; the text says which), ETIMEDOUT, ENODEV.
	void copy(std::uint64_t destination, std::uint64_t source, std::uint64_t size,
		  timeout t = {})
	{
		check(::accel_stage_copy(get(), destination, source, size, t.ns()));
	}

	::accel_stage *get() const noexcept { return handle_.get(); }

private:
	detail::handle<::accel_stage, ::accel_stage_destroy> handle_;
};

} // namespace accel
