// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "recovery.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "objects.hpp"

namespace oac::abi
{

namespace
{

constexpr int patience_ms = 20000;

std::string read_line(const std::string &path)
{
	std::ifstream file(path);
	std::string line;

	std::getline(file, line);
	return line;
}

int write_text(const std::string &path, const std::string &text)
{
	const node file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));

	if (file.fd() < 0)
		return errno;
	return write(file.fd(), text.data(), text.size()) < 0 ? errno : 0;
}

std::string health_path(const std::string &node, const std::string &name)
{
	return "/sys/bus/pci/devices/" + pci_address(node) + "/health/" + name;
}

} // namespace

parameter::parameter(const std::string &name, const std::string &value)
	: path_("/sys/module/oac/parameters/" + name), before_(read_line(path_)),
	  is_set_(write_text(path_, value) == 0)
{
}

parameter::~parameter()
{
	if (is_set_) {
		EXPECT_EQ(write_text(path_, before_), 0) << path_;
	}
}

std::string health_file(const std::string &node, const std::string &name)
{
	return read_line(health_path(node, name));
}

int write_health_file(const std::string &node, const std::string &name, const std::string &text)
{
	return write_text(health_path(node, name), text);
}

static int open_events(const node &on, std::uint64_t from, std::uint32_t flags)
{
	drm_oac_events_open open = {};

	open.from = from;
	open.flags = flags;
	EXPECT_EQ(on.call(DRM_IOCTL_OAC_EVENTS_OPEN, &open), 0);
	return open.fd;
}

event_reader::event_reader(const node &on, std::uint64_t from, std::uint32_t flags)
	: fd_(open_events(on, from, flags))
{
}

std::vector<drm_oac_event> event_reader::read() const
{
	std::vector<drm_oac_event> all = std::move(left_), some(64);

	left_.clear();
	for (;;) {
		const ssize_t got = ::read(fd(), some.data(), some.size() * sizeof(some[0]));

		if (got <= 0)
			return all;
		EXPECT_EQ(static_cast<std::size_t>(got) % sizeof(some[0]), 0u);
		all.insert(all.end(), some.begin(),
			   some.begin() + got / static_cast<ssize_t>(sizeof(some[0])));
	}
}

std::vector<drm_oac_event> event_reader::read_until(std::uint16_t code, std::uint64_t arg) const
{
	std::vector<drm_oac_event> all;
	const auto is_it = [=](const auto &one) {
		return one.code == code && (arg == ~0ull || one.arg == arg);
	};

	for (;;) {
		pollfd poll_for = { fd(), POLLIN, 0 };

		if (left_.empty() &&
		    poll(&poll_for, 1, patience_ms * static_cast<int>(slowness())) != 1) {
			ADD_FAILURE() << "no event 0x" << std::hex << code << ", arg 0x" << arg;
			return all;
		}
		const auto some = read();
		if (some.empty()) {
			ADD_FAILURE() << "the events end without 0x" << std::hex << code;
			return all;
		}
		const auto found = std::find_if(some.begin(), some.end(), is_it);
		const auto end = found == some.end() ? found : found + 1;
		all.insert(all.end(), some.begin(), end);
		left_.assign(end, some.end());
		if (found != some.end())
			return all;
	}
}

void recovery_test::SetUp()
{
	if (geteuid() != 0)
		GTEST_SKIP() << "resets are for root";
	fenced_test::SetUp();
}

/* Whatever a test did, others find a card that works. */
void recovery_test::TearDown()
{
	if (IsSkipped())
		return;
	write_health_file(path(), "recovery", "auto");
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK))
		<< "reason 0x" << std::hex << health().reason;
}

drm_oac_info_health recovery_test::health(const node &of) const
{
	drm_oac_info_health one = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_HEALTH;
	get.stride = sizeof(one);
	get.count = 1;
	get.data = reinterpret_cast<std::uintptr_t>(&one);
	EXPECT_EQ(of(get), 0);
	EXPECT_EQ(get.count, 1u);
	return one;
}

std::array<drm_oac_info_rung, OAC_RUNG_COUNT> recovery_test::rungs() const
{
	std::array<drm_oac_info_rung, OAC_RUNG_COUNT> all = {};
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_RUNGS;
	get.stride = sizeof(all[0]);
	get.count = OAC_RUNG_COUNT;
	get.data = reinterpret_cast<std::uintptr_t>(all.data());
	EXPECT_EQ(dev()(get), 0);
	EXPECT_EQ(get.count, static_cast<std::uint32_t>(OAC_RUNG_COUNT));
	return all;
}

int recovery_test::reset(std::uint32_t rung, std::uint32_t flags, drm_oac_reset *out) const
{
	drm_oac_reset arg = {};

	arg.rung = rung;
	arg.flags = flags;
	arg.deadline_ns = deadline_ms(60000);
	const int err = dev().call(DRM_IOCTL_OAC_RESET, &arg);
	if (out)
		*out = arg;
	return err;
}

std::uint32_t recovery_test::lost(std::uint32_t context) const
{
	std::vector<drm_oac_info_context> all(64);
	drm_oac_info_get get = {};

	get.topic = DRM_OAC_INFO_CONTEXTS;
	get.stride = sizeof(all[0]);
	get.count = static_cast<std::uint32_t>(all.size());
	get.data = reinterpret_cast<std::uintptr_t>(all.data());
	EXPECT_EQ(dev()(get), 0);
	all.resize(get.count);
	for (const auto &one : all) {
		if (one.context == context)
			return one.lost;
	}
	ADD_FAILURE() << "no context " << context;
	return ~0u;
}

void recovery_test::wait_for_reason(std::uint32_t reason) const
{
	/* Before the look: what changes after it is read. What was so before does not count. */
	const event_reader reader(dev(), 0);

	if (health().reason == reason)
		return;
	reader.read_until(OAC_EVENT_HEALTH, reason);
}

void recovery_test::expect_card_works() const
{
	const node other = open();
	const auto create = make_queue_on(other, DRM_OAC_QUEUE_KERNEL_SUBMIT);
	drm_oac_queue_submit ring = { create.queue, DRM_OAC_SUBMIT_TAIL, 3, 0 };
	ASSERT_EQ(other.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &ring), 0);
	drm_oac_queue_wait wait = {};
	wait.queue = create.queue;
	wait.deadline_ns = deadline_ms(patience_ms);
	while (wait.completed < 3) {
		wait.seen = wait.completed;
		ASSERT_EQ(other(wait), 0);
		ASSERT_EQ(wait.state, static_cast<std::uint32_t>(OAC_QUEUE_RUNNING));
	}
}

} // namespace oac::abi
