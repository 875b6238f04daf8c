// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card behind the oac module: each call of the backend interface is one or two ioctls.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "../../src/backend.hpp"
#include "../../src/submit_page.hpp"
#include "../../src/unique_fd.hpp"

namespace accel::kernel
{

class card final : public backend
{
public:
	explicit card(const std::string &node);

	const char *kind() const noexcept override { return "kernel"; }
	const std::string &name() const noexcept override { return name_; }
	device_info info() override;

	std::uint32_t context_create() override;
	void context_destroy(std::uint32_t context) noexcept override;
	usage_reading context_usage(std::uint32_t context) override;

	buffer_memory buffer_alloc(std::size_t size) override;
	buffer_memory buffer_alloc_local(std::size_t size) override;
	buffer_memory buffer_wrap(void *host, std::size_t size, bool is_read_only) override;
	int buffer_export(const buffer_memory &memory) override;
	buffer_memory buffer_import(int fd) override;
	void buffer_free(const buffer_memory &memory) noexcept override;
	void map(std::uint32_t context, const buffer_memory &memory, std::size_t offset,
		 std::size_t size, std::uint64_t va, std::uint32_t flags) override;
	void unmap(std::uint32_t context, std::uint64_t va, std::size_t size) override;

	queue_port queue_create(std::uint32_t context, const queue_rings &rings) override;
	void queue_destroy(std::uint32_t queue) noexcept override;
	int ring(std::uint32_t queue, std::uint32_t sq_tail) noexcept override;
	int arm(std::uint32_t queue, std::uint64_t arm_word) noexcept override;
	int queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
		       queue_progress *progress) noexcept override;
	int queue_event_fd(std::uint32_t queue) override;

	void queue_fence(std::uint32_t queue, std::uint32_t count, int syncobj_fd,
			 std::uint64_t point) override;
	int queue_sync_file(std::uint32_t queue, std::uint32_t count) override;
	int sync_file_of(int syncobj_fd, std::uint64_t point) override;
	void follow_sync_file(const buffer_memory &memory, std::size_t offset, std::uint64_t value,
			      int sync_file_fd) override;

	std::vector<client_reading> clients() override;
	telemetry_reading telemetry(std::int64_t deadline) override;
	std::size_t events(std::uint64_t from, std::span<event_reading> events) override;
	void firmware_load(std::span<const std::byte> image, std::int64_t deadline) override;
	health_reading health() override;
	std::array<rung_reading, OAC_RUNG_COUNT> rungs() override;
	std::unique_ptr<event_source> event_stream(std::uint64_t from) override;
	void recover(std::int64_t deadline) override;
	void reset(std::uint32_t rung, std::int64_t deadline) override;
	std::uint64_t self_test(std::int64_t deadline) override;
	std::uint32_t context_lost(std::uint32_t context) override;
	int change_fd() noexcept override;
	void look() noexcept override;
	void abandon() noexcept override;

private:
	struct queue_resources {
		mapping doorbell;	/* or, where the driver submits: */
		std::unique_ptr<submit_page> page;
		unique_fd event;
	};

	class syncobj;

	void *doorbell_page(std::uint64_t offset, bool is_driver_submit, queue_resources &to);
	/* Of a queue that submits through the driver. */
	int submit(std::uint32_t queue, std::uint32_t flags, std::uint32_t tail,
		   std::uint32_t seen) noexcept;
	void require_sync();
	void set_fence(std::uint32_t queue, std::uint32_t count, std::uint32_t syncobj_handle,
		       std::uint64_t point);
	void see_generation(std::uint32_t now) noexcept;
	unique_fd open_events(std::uint64_t from);
	void reset_by(std::uint32_t rung, std::uint32_t flags, std::int64_t deadline);
	/* 0, or -Exxx; a card that is gone becomes lost. */
	int try_call(unsigned long request, void *argument) noexcept;
	/* The same, but throws; `what` is what was tried, for the text. */
	void call(unsigned long request, void *argument, const char *what);
	[[noreturn]] void fail(int code, const char *what);
	/* limit: DRM_OAC_LIMIT_* that was met, where there is one. */
	[[noreturn]] void fail(int code, const char *what, std::uint32_t limit);
	buffer_memory create(std::size_t size, std::uint32_t flags, const char *what);
	/* Counts a use of a handle; closes it if that is not possible. */
	void add_use(std::uint32_t handle);
	void drop_use(std::uint32_t handle) noexcept;
	/*
	 * One INFO_GET: how many elements were written, never more than count. The deadline is for
	 * those topics that ask the card; 0: as long as the module has patience with it.
	 */
	std::uint32_t read_topic(std::uint32_t topic, std::uint64_t start, void *data,
				 std::size_t stride, std::size_t count, std::int64_t deadline = 0);
	template <class Element>
	std::vector<Element> read_table(std::uint32_t topic, std::int64_t deadline = 0);

	std::string name_;
	unique_fd fd_;
	std::int32_t numa_node_ = -1;
	std::atomic<bool> has_sync_{ false };
	std::atomic<std::uint32_t> generation_{ 0 };	/* of the card, as last heard of */
	/*
	 * The kernel gives one handle per memory and file, however often it is imported; each of
	 * our buffers is one use of it. Held over the ioctls that import and close.
	 */
	std::mutex handle_lock_;	/* guards uses_ */
	std::unordered_map<std::uint32_t, unsigned> uses_;
	std::mutex lock_;	/* guards queues_ and the making of change_ */
	unique_fd change_;	/* events; readable for ever, once there was one */
	std::unordered_map<std::uint32_t, queue_resources> queues_;
	fork_entry fork_entry_{ *this };

	/* More elements than any card has; what asks for more memory than this is a broken module. */
	static constexpr std::uint32_t TABLE_MAX = 4096;
};

template <class Element>
std::vector<Element> card::read_table(std::uint32_t topic, std::int64_t deadline)
{
	std::uint32_t count = read_topic(topic, 0, nullptr, sizeof(Element), 0, deadline);
	std::vector<Element> table(std::min(count, TABLE_MAX));

	/* A count of 0 would ask for the number again. */
	if (!table.empty())
		table.resize(read_topic(topic, 0, table.data(), sizeof(Element), table.size(),
					deadline));
	return table;
}

} // namespace accel::kernel
