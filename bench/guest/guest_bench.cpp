// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the kernel's paths cost, measured in a guest: the driver's submission and interrupt paths
// (goals 13, 14), and beside them in the same boot DRM_IOCTL_VERSION and an emulated NVMe drive.
// Leaves marks for count_plugin.c around what counts; the plugin writes one number per sample, and this
// program a line per measurement, in the same order: "G NAME OPERATIONS SAMPLES", and before it, where
// sleeping is part of what is measured, "V" and a 1 for each sample that slept until the device's
// interrupt and had no timer's beside it. Raw ioctls: no library in between.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <string>

#include <fcntl.h>
#include <glob.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <drm/oac_accel.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>
#include <liburing.h>
#include <linux/nvme_ioctl.h>

#include "queue.hpp"

/* Seven bytes that no compiler emits; count_plugin.c knows them. */
#define MARK(tag) asm volatile(".byte 0x0f,0x1f,0x80," #tag ",0x1e,0xcc,0x0a" : : : "memory")
#define MARK_BEGIN() MARK(1)
#define MARK_END() MARK(2)
#define MARK_LINE() MARK(3)

namespace
{

constexpr int SAMPLES = 9;
constexpr int WAITS = 400;
constexpr int WARM_UP = 2;

void announce(const char *name, int operations, int samples)
{
	printf("G %s %d %d\n", name, operations, samples);
	fflush(stdout);
}

/* n times once, whose marks are its own. */
void measure_marked(const char *name, int n, int operations, const std::function<void()> &once)
{
	for (int sample = 0; sample < WARM_UP + SAMPLES; sample++) {
		for (int i = 0; i < n; i++)
			once();
		MARK_LINE();
	}
	announce(name, n * operations, WARM_UP + SAMPLES);
}

template <typename Once>
void measure(const char *name, int n, int operations, Once once)
{
	for (int sample = 0; sample < WARM_UP + SAMPLES; sample++) {
		MARK_BEGIN();
		for (int i = 0; i < n; i++)
			once();
		MARK_END();
		MARK_LINE();
	}
	announce(name, n * operations, WARM_UP + SAMPLES);
}

/* Taken so far, on all cores, by whom a line of /proc/interrupts names. */
long interrupts(const char *who)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[4096];
	long sum = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, who))
			continue;
		char *at = strchr(line, ':');
		for (char *end = at ? at + 1 : nullptr; end;) {
			char *from = end;
			const long count = strtol(from, &end, 10);
			if (end == from)
				break;
			sum += count;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

/* How often this thread has given up its core. */
long sleeps()
{
	rusage usage{};
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

/* Each time a sample of its own. who: whose interrupt must come. */
template <typename Once>
void measure_waits(const char *name, int operations, const char *who, Once once)
{
	std::string valid;
	for (int sample = 0; sample < WARM_UP + WAITS; sample++) {
		const long theirs = interrupts(who), timers = interrupts("LOC:");
		const long slept = sleeps();
		MARK_BEGIN();
		once();
		MARK_END();
		MARK_LINE();
		const bool has_slept = sleeps() > slept;
		const bool is_valid = sample >= WARM_UP && has_slept && interrupts(who) > theirs &&
				      interrupts("LOC:") == timers;
		valid += is_valid ? '1' : '0';
	}
	printf("V %s\n", valid.c_str());
	announce(name, operations, WARM_UP + WAITS);
}

void nvme_passthrough()
{
	const int block = open("/dev/nvme0n1", O_RDONLY | O_CLOEXEC);
	if (block < 0) {
		printf("S nvme: no drive (%s)\n", strerror(errno));
		return;
	}
	measure_waits("nvme_flush_ioctl", 1, "nvme", [&] {
		nvme_passthru_cmd flush{};
		flush.nsid = 1;
		if (ioctl(block, NVME_IOCTL_IO_CMD, &flush) != 0)
			abort();
	});
	close(block);
}

void push_flush(io_uring *ring, int fd)
{
	io_uring_sqe *entry = io_uring_get_sqe(ring);
	/* An entry of such a ring has 128 bytes, which the compiler does not know. */
	asm volatile("" : "+r"(entry));
	memset(entry, 0, 128);
	entry->opcode = IORING_OP_URING_CMD;
	entry->fd = fd;
	entry->cmd_op = NVME_URING_CMD_IO;
	reinterpret_cast<nvme_uring_cmd *>(entry->cmd)->nsid = 1;
}

void flush_batch(io_uring *ring, int fd, unsigned batch)
{
	for (unsigned i = 0; i < batch; i++)
		push_flush(ring, fd);
	io_uring_submit_and_wait(ring, batch);
	for (unsigned i = 0; i < batch; i++) {
		io_uring_cqe *done;
		if (io_uring_wait_cqe(ring, &done) != 0 || done->res != 0)
			abort();
		io_uring_cqe_seen(ring, done);
	}
}

void nvme_uring(unsigned batch)
{
	const int character = open("/dev/ng0n1", O_RDWR | O_CLOEXEC);
	io_uring ring;
	if (character < 0 ||
	    io_uring_queue_init(64, &ring, IORING_SETUP_SQE128 | IORING_SETUP_CQE32) != 0) {
		printf("S nvme_uring: no passthrough\n");
		return;
	}
	measure_waits(("nvme_uring_flush_" + std::to_string(batch)).c_str(),
		      static_cast<int>(batch), "nvme",
		      [&] { flush_batch(&ring, character, batch); });
	io_uring_queue_exit(&ring);
	close(character);
}

void drm_frame(int node)
{
	measure("drm_ioctl_version", 1000, 1, [&] {
		drm_version version{};
		if (ioctl(node, DRM_IOCTL_VERSION, &version) != 0)
			abort();
	});
}

/* From the entry in the ring to the waiter awake, by interrupt. */
void waited(guest::queue &queue, const char *name, unsigned batch)
{
	measure_waits(name, static_cast<int>(batch), "oac", [&] {
		queue.write(batch, true);
		queue.submit();
		queue.wait_ioctl();
		queue.reap();
	});
}

/* The ioctl alone; completions come unmarked. */
void submitted(guest::queue &queue, const char *name, unsigned batch)
{
	measure_marked(name, 50, static_cast<int>(batch), [&] {
		queue.write(batch, false);
		MARK_BEGIN();
		queue.submit();
		MARK_END();
		queue.wait_ioctl();
		queue.reap();
	});
}

void user_queue(int node)
{
	guest::queue queue(node, 0);
	submitted(queue, "user_doorbell_1", 1);
	waited(queue, "user_wait_1", 1);
	waited(queue, "user_wait_32", 32);
}

void kernel_queue(int node)
{
	guest::queue queue(node, DRM_OAC_QUEUE_KERNEL_SUBMIT);
	submitted(queue, "submit_ioctl_1", 1);
	submitted(queue, "submit_ioctl_32", 32);
	waited(queue, "submit_wait_1", 1);
	waited(queue, "submit_wait_32", 32);
	if (!queue.make_syncobj())
		return;
	measure_waits("submit_fence_wait_1", 1, "oac", [&] {
		queue.write(1, true);
		queue.submit_and_fence();
		queue.wait_syncobj();
		queue.reap();
	});
}

int open_node()
{
	for (const char *pattern : { "/dev/accel/accel*", "/dev/dri/renderD*" }) {
		glob_t found{};
		int node = -1;
		if (glob(pattern, 0, nullptr, &found) == 0)
			node = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
		globfree(&found);
		if (node >= 0)
			return node;
	}
	return -1;
}

} // namespace

int main()
{
	nvme_passthrough();
	nvme_uring(1);
	nvme_uring(32);
	const int node = open_node();
	if (node < 0) {
		printf("S oac: no node (%s)\n", strerror(errno));
		return 1;
	}
	try {
		drm_frame(node);
		user_queue(node);
		kernel_queue(node);
	} catch (const std::exception &error) {
		printf("S oac: %s\n", error.what());
		return 1;
	}
	return 0;
}
