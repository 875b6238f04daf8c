// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the raw tests share: an open device node, its ioctls as plain calls that return 0 or the
// errno, and the little that a queue takes. No library between test and kernel.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <drm/oac_accel.h>
#include <hw/oac_admin.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>
#include <hw/oac_telemetry.h>

namespace oac::abi
{

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t u32_max = ~0u;
constexpr std::uint64_t u64_max = ~0ull;

/* How many times slower than usual things may be here: OAC_TEST_SLOW, else 1. */
unsigned slowness();

/* Paths of all cards' nodes. */
std::vector<std::string> find_nodes();
/* The first of them. */
std::optional<std::string> find_node();

/* What OAC_TEST_FIRMWARE names, else the usual file: an image that the card takes. May be empty. */
std::vector<char> firmware_image();

/* A file descriptor, closed at the end of scope. */
class node
{
public:
	explicit node(int fd) : fd_(fd) {}
	~node();
	node(const node &) = delete;
	node &operator=(const node &) = delete;

	int fd() const { return fd_; }
	/* 0 or the errno; arg may point anywhere. */
	int call(unsigned long request, void *arg) const;

	int operator()(drm_oac_info_get &arg) const;
	int operator()(drm_oac_context_create &arg) const;
	int operator()(drm_oac_context_destroy &arg) const;
	int operator()(drm_oac_bo_create &arg) const;
	int operator()(drm_oac_bo_userptr &arg) const;
	int operator()(drm_oac_map &arg) const;
	int operator()(drm_oac_unmap &arg) const;
	int operator()(drm_oac_queue_create &arg) const;
	int operator()(drm_oac_queue_destroy &arg) const;
	int operator()(drm_oac_queue_wait &arg) const;
	int operator()(drm_oac_queue_eventfd &arg) const;
	int operator()(drm_oac_firmware_load &arg) const;
	int operator()(drm_gem_close &arg) const;

	/* What most tests begin with; a failure is the test's. */
	std::uint32_t context() const;
	std::uint32_t buffer(std::uint64_t size, std::uint64_t *mmap_offset = nullptr) const;
	drm_oac_info_device info() const;

private:
	int fd_;
};

/* A mapping, unmapped at the end of scope. */
class mapping
{
public:
	mapping(const node &on, std::uint64_t offset, std::size_t size);
	~mapping();
	mapping(const mapping &) = delete;
	mapping &operator=(const mapping &) = delete;

	bool is_valid() const;
	template <typename T>
	volatile T *at(std::size_t offset = 0) const
	{
		return reinterpret_cast<volatile T *>(static_cast<char *>(base_) + offset);
	}

private:
	void *base_;
	std::size_t size_;
};

/*
 * How the card hears of a queue's commands: by the queue's own page, or by the driver where processes
 * get no pages.
 */
class bell
{
public:
	bell(const node &on, const drm_oac_queue_create &made);

	bool is_valid() const { return !page_ || page_->is_valid(); }
	/* NULL without a page. */
	const mapping *mapped() const { return page_ ? &*page_ : nullptr; }
	/* 0 or the errno; a page takes everything. */
	int ring(std::uint32_t tail) const;
	/* One interrupt once completions != seen. */
	int arm(std::uint32_t seen);

private:
	const node &on_;
	std::uint32_t queue_;
	std::uint32_t arms_ = 0;
	std::optional<mapping> page_;
};

/* Skips without a card. */
class device_test : public testing::Test
{
protected:
	void SetUp() override;
	node open() const;
	/* dev(), for tests that count who has the card open. */
	void open_device();
	void close_device() { dev_.reset(); }
	const node &dev() const { return *dev_; }
	const std::string &path() const { return path_; }

private:
	std::string path_;
	std::optional<node> dev_;
};

/* A context with one mapped buffer that holds the rings of a queue. */
class queue_test : public device_test
{
protected:
	static constexpr std::uint32_t depth_log2 = 4;
	static constexpr std::uint64_t va = 0x10000;
	static constexpr std::uint64_t sq_va = va;
	static constexpr std::uint64_t cq_va = va + page;
	static constexpr std::uint64_t tail_va = va + 2 * page;
	static constexpr std::uint64_t ring_size = 4 * page;

	void SetUp() override;
	bool has_user_submission() const;
	/* A user queue where there are any, else one for the driver's doorbell. */
	drm_oac_queue_create good_queue() const;
	/* On another file: a new context, rings of zeroes (a ring of NOPs), a queue on them. */
	drm_oac_queue_create make_queue_on(const node &other, std::uint32_t flags = 0) const;
	drm_oac_queue_create make_queue() const;
	/* Writes one command into the ring and rings: 0 or the errno. */
	int submit(const bell &bell, std::uint32_t count, std::uint8_t opcode) const;
	/* Farther away on a slow kernel: see slowness(). */
	std::uint64_t deadline_ms(unsigned from_now) const;

	std::uint32_t context_ = 0;
	std::uint32_t handle_ = 0;
	std::optional<mapping> rings_;
};

} // namespace oac::abi
