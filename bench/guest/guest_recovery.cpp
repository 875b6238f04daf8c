// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// How long the kernel driver takes to bring a card back, in a guest: from the event that tells of the
// hang to the next command's end, with all that a program has to make anew; and beside it in the same
// boot, turn by turn, an emulated NVMe drive: from the write to reset_controller to the next read's end.
// A line per figure: "R NAME NS NS ...", or "S why not". Raw ioctls: no library in between.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm/oac_accel.h>
#include <hw/oac_admin.h>
#include <hw/oac_health.h>
#include <hw/oac_queue.h>

namespace
{

constexpr int ROUNDS = 9;
constexpr int WARM_UP = 2;	/* the first failure leaves a dump, and takes the longer for that */
constexpr std::uint64_t SECOND_NS = 1'000'000'000;
constexpr std::uint64_t PATIENCE_NS = 60 * SECOND_NS;
constexpr std::size_t PAGE = 4096;
constexpr std::uint64_t VA = 0x100000;
constexpr std::uint32_t DEPTH_LOG2 = 4;

std::uint64_t now_ns(clockid_t clock)
{
	timespec now;
	clock_gettime(clock, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * SECOND_NS +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

[[noreturn]] void fail(const std::string &what, int code = errno)
{
	throw std::system_error(code, std::generic_category(), what);
}

int open_file(const std::string &path, int flags)
{
	const int fd = open(path.c_str(), flags | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

void write_text(int fd, const std::string &text, const char *what)
{
	if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
		fail(what);
}

void write_file(const std::string &path, const std::string &text)
{
	const int fd = open_file(path, O_WRONLY);
	write_text(fd, text, path.c_str());
	close(fd);
}

/* One request to the card's control socket, which the second serial port leads to. */
void control(const std::string &request)
{
	const char *name = getenv("OAC_TEST_CTL");
	const int port = open_file(name ? name : "/dev/ttyS1", O_RDWR | O_NOCTTY);
	std::string answer;
	char one;
	write_text(port, "# ctl card0 " + request + '\n', "control");
	while (read(port, &one, 1) == 1 && one != '\n')
		answer += one;
	close(port);
	if (answer.find("\"ok\":true") == answer.npos)
		throw std::runtime_error(request + ": " + answer);
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
	fail("no node of a card", ENODEV);
}

/* A program's use of the card: its memory stays, the rest is made anew after a reset. */
class user
{
public:
	explicit user(int node) : node_(node)
	{
		drm_oac_bo_create memory{};
		memory.size = PAGE;
		call(DRM_IOCTL_OAC_BO_CREATE, &memory, "BO_CREATE");
		handle_ = memory.handle;
		void *at = mmap(nullptr, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, node,
				static_cast<off_t>(memory.mmap_offset));
		if (at == MAP_FAILED)
			fail("mmap");
		memory_ = static_cast<char *>(at);
	}

	void make_context()
	{
		drm_oac_context_create create{};
		call(DRM_IOCTL_OAC_CONTEXT_CREATE, &create, "CONTEXT_CREATE");
		context_ = create.context;
		drm_oac_map map{};
		map.context = context_;
		map.handle = handle_;
		map.va = VA;
		map.size = PAGE;
		map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
		call(DRM_IOCTL_OAC_MAP, &map, "MAP");
	}

	void end_context()
	{
		drm_oac_context_destroy destroy{ context_, 0 };
		call(DRM_IOCTL_OAC_CONTEXT_DESTROY, &destroy, "CONTEXT_DESTROY");
	}

	/* With one no-op in it, submitted. */
	void make_queue()
	{
		memset(memory_, 0, PAGE);
		drm_oac_queue_create create{};
		create.context = context_;
		create.depth_log2 = DEPTH_LOG2;
		create.sq_va = VA;
		create.cq_va = VA + PAGE / 2;
		create.tail_va = VA + PAGE - sizeof(oac_cq_tail);
		create.priority = OAC_PRIORITY_NORMAL;
		create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
		call(DRM_IOCTL_OAC_QUEUE_CREATE, &create, "QUEUE_CREATE");
		queue_ = create.queue;
		drm_oac_queue_submit submit{ queue_, DRM_OAC_SUBMIT_TAIL, 1, 0 };
		call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &submit, "QUEUE_SUBMIT");
	}

	void end_queue()
	{
		drm_oac_queue_destroy destroy{ queue_, 0 };
		call(DRM_IOCTL_OAC_QUEUE_DESTROY, &destroy, "QUEUE_DESTROY");
	}

	/* Until the no-op is over. true: it was carried out; false: the queue failed or is lost. */
	bool wait()
	{
		drm_oac_queue_wait wait{};
		wait.queue = queue_;
		wait.deadline_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
		if (ioctl(node_, DRM_IOCTL_OAC_QUEUE_WAIT, &wait) == 0)
			return wait.state == OAC_QUEUE_RUNNING;
		if (errno != ESTALE)
			fail("QUEUE_WAIT");
		return false;
	}

	void call(unsigned long request, void *argument, const char *what)
	{
		while (ioctl(node_, request, argument) != 0)
			if (errno != EINTR && errno != EAGAIN)
				fail(what);
	}

private:
	int node_;
	std::uint32_t handle_ = 0, context_ = 0, queue_ = 0;
	char *memory_ = nullptr;
};

/* Waits for an event of this code and argument; the time of the first that said "hang". */
std::uint64_t await_recovered(int events, std::uint64_t rung)
{
	std::uint64_t hang_ns = 0;
	for (;;) {
		drm_oac_event event;
		pollfd fd{ events, POLLIN, 0 };
		if (poll(&fd, 1, static_cast<int>(PATIENCE_NS / 1'000'000)) != 1 ||
		    read(events, &event, sizeof(event)) != sizeof(event))
			fail("no event", ETIMEDOUT);
		if (event.code == OAC_EVENT_HEALTH && event.arg == OAC_REASON_HANG && !hang_ns)
			hang_ns = event.boot_ns;
		if (event.code != OAC_EVENT_RECOVERED)
			continue;
		if (event.arg != rung || !hang_ns)
			throw std::runtime_error("recovered by rung " + std::to_string(event.arg));
		return hang_ns;
	}
}

int open_events(user &of)
{
	drm_oac_events_open open{};
	open.flags = O_CLOEXEC;
	of.call(DRM_IOCTL_OAC_EVENTS_OPEN, &open, "EVENTS_OPEN");
	return open.fd;
}

/* A command that hangs until this rung; then the next one on what is made anew. */
std::uint64_t recover(user &one, const char *until, std::uint64_t rung)
{
	const int events = open_events(one);
	one.make_context();
	control(std::string(R"({"request":"inject","fault":"hang_command","until":")") + until +
		"\"}");
	one.make_queue();
	if (one.wait())
		throw std::runtime_error("a command that was to hang has ended");
	const std::uint64_t began_ns = await_recovered(events, rung);
	one.end_queue();
	if (rung >= OAC_RUNG_SOFT_RESET) {
		one.end_context();
		one.make_context();
	}
	one.make_queue();
	if (!one.wait())
		throw std::runtime_error("the card does not work after its recovery");
	const std::uint64_t took_ns = now_ns(CLOCK_BOOTTIME) - began_ns;
	one.end_queue();
	one.end_context();
	control(R"({"request":"clear"})");
	close(events);
	return took_ns;
}

/* What the drive's reset is compared with like for like: somebody asks for it. */
std::uint64_t reset(user &one)
{
	one.make_context();
	one.make_queue();
	if (!one.wait())
		throw std::runtime_error("the card does not work");
	const std::uint64_t began_ns = now_ns(CLOCK_MONOTONIC);
	drm_oac_reset reset{};
	reset.rung = OAC_RUNG_SOFT_RESET;
	reset.deadline_ns = began_ns + PATIENCE_NS;
	one.call(DRM_IOCTL_OAC_RESET, &reset, "RESET");
	one.end_context();
	one.make_context();
	one.make_queue();
	if (!one.wait())
		throw std::runtime_error("the card does not work after its reset");
	const std::uint64_t took_ns = now_ns(CLOCK_MONOTONIC) - began_ns;
	one.end_queue();
	one.end_context();
	return took_ns;
}

std::uint64_t reset_nvme()
{
	const int block = open_file("/dev/nvme0n1", O_RDONLY | O_DIRECT);
	const int file = open_file("/sys/class/nvme/nvme0/reset_controller", O_WRONLY);
	void *to = nullptr;
	if (posix_memalign(&to, PAGE, PAGE) != 0)
		fail("memory", ENOMEM);
	const std::uint64_t began_ns = now_ns(CLOCK_MONOTONIC);
	write_text(file, "1", "reset_controller");
	if (pread(block, to, PAGE, 0) != static_cast<ssize_t>(PAGE))
		fail("read of the drive");
	const std::uint64_t took_ns = now_ns(CLOCK_MONOTONIC) - began_ns;
	free(to);
	close(file);
	close(block);
	return took_ns;
}

} // namespace

int main()
{
	try {
		/* Hangs are noticed sooner than usual, which is not part of what is measured. */
		write_file("/sys/module/oac/parameters/watchdog_ms", "50");
		write_file("/sys/module/oac/parameters/hang_ms", "200");
		user one(open_node());
		const std::map<std::string, std::function<std::uint64_t()>> figures = {
			{ "nvme_reset", [&] { return reset_nvme(); } },
			{ "recover_abort", [&] { return recover(one, "abort", OAC_RUNG_ABORT); } },
			{ "recover_queue", [&] { return recover(one, "queue", OAC_RUNG_QUEUE); } },
			{ "recover_soft_reset",
			  [&] { return recover(one, "soft_reset", OAC_RUNG_SOFT_RESET); } },
			{ "reset_soft", [&] { return reset(one); } },
		};
		std::map<std::string, std::string> lines;
		for (int round = 0; round < WARM_UP + ROUNDS; round++) {
			for (const auto &[name, once] : figures) {
				const std::uint64_t took_ns = once();
				if (round >= WARM_UP)
					lines[name] += ' ' + std::to_string(took_ns);
			}
		}
		for (const auto &[name, line] : lines)
			printf("R %s%s\n", name.c_str(), line.c_str());
	} catch (const std::exception &error) {
		printf("S %s\n", error.what());
		return 1;
	}
	return 0;
}
