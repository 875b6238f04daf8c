// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Health, recovery and events of a card behind the oac module, which does all of the work: this asks
// and waits. How the library hears of a reset: every ESTALE, and each look, compares the driver's
// generation with the one known here, and moves the epoch when it is another.
#include "card.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <drm/oac_accel.h>

#include "../../src/clock.hpp"
#include "../../src/error.hpp"
#include "../../src/event_of.hpp"
#include "ioctl.hpp"

namespace accel::kernel
{

namespace
{

/* How long a driver may take to begin what it does by itself. */
constexpr std::int64_t OWN_TIME_NS = 2 * NS_PER_S;
/* Should an event be missed, state is looked at this often. */
constexpr std::int64_t LOOK_NS = 100 * NS_PER_MS;

health_reading convert(const drm_oac_info_health &raw)
{
	health_reading health;

	health.state = raw.state;
	health.reason = raw.reason;
	health.action = raw.action;
	health.generation = raw.generation;
	health.since_ns = raw.since_ns;
	health.argument = raw.arg;
	health.is_held = raw.is_held != 0;
	health.rungs_allowed = raw.rungs_allowed;
	return health;
}

event_reading convert(const drm_oac_event &raw)
{
	event_reading event = event_of(raw);

	event.boot_ns = raw.boot_ns;
	event.generation = raw.generation;
	return event;
}

/* A descriptor of the module's. */
class reader final : public event_source, public fork_member
{
public:
	explicit reader(unique_fd fd) : fd_(std::move(fd)) {}
	int fd() const noexcept override { return fd_.get(); }
	int read(std::span<event_reading> to) noexcept override;
	void abandon() noexcept override { close(fd_.get()); }

private:
	unique_fd fd_;
	fork_entry fork_entry_{ *this };
};

int reader::read(std::span<event_reading> to) noexcept
{
	std::array<drm_oac_event, 64> raw;
	const std::size_t room = std::min(raw.size(), to.size()) * sizeof(raw[0]);
	ssize_t got;
	do {
		got = ::read(fd_.get(), raw.data(), room);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (got == 0)
		return -ENODEV;
	if (static_cast<std::size_t>(got) > room || got % sizeof(raw[0]) != 0)
		return -EPROTO;
	const auto count = static_cast<std::size_t>(got) / sizeof(raw[0]);
	for (std::size_t i = 0; i < count; i++)
		to[i] = convert(raw[i]);
	return static_cast<int>(count);
}

bool is_working(const health_reading &health)
{
	return health.state == OAC_HEALTH_OK || health.state == OAC_HEALTH_DEGRADED ||
	       health.reason == OAC_REASON_SELF_TEST;
}

} // namespace

health_reading card::health()
{
	drm_oac_info_health raw = {};
	drm_oac_info_get request = {};

	request.topic = DRM_OAC_INFO_HEALTH;
	request.stride = sizeof(raw);
	request.count = 1;
	request.data = reinterpret_cast<std::uintptr_t>(&raw);
	const int result = try_call(DRM_IOCTL_OAC_INFO_GET, &request);
	if (result == -ENODEV) {
		health_reading gone;
		gone.state = OAC_HEALTH_FAILED;
		gone.reason = OAC_REASON_GONE;
		gone.action = OAC_ACTION_RESCAN;
		gone.generation = generation_.load();
		return gone;
	}
	if (result < 0)
		fail(-result, "read its health");
	if (request.count != 1)
		throw failure(EPROTO, name_ + ": the module does not tell its health; install "
					      "module and library of one release");
	see_generation(raw.generation);
	return convert(raw);
}

/* What was made in another one may be lost. */
void card::see_generation(std::uint32_t now) noexcept
{
	if (generation_.exchange(now) != now)
		move_epoch();
}

/* Also finds out that the card is gone. */
void card::look() noexcept
{
	try {
		health();
	} catch (const std::exception &) {
		/* No news. */
	}
}

std::array<rung_reading, OAC_RUNG_COUNT> card::rungs()
{
	std::array<rung_reading, OAC_RUNG_COUNT> rungs{};

	for (const auto &raw : read_table<drm_oac_info_rung>(DRM_OAC_INFO_RUNGS)) {
		if (raw.rung < rungs.size())
			rungs[raw.rung] = { raw.tried, raw.helped, raw.last_ns, raw.longest_ns,
					    raw.last_cause };
	}
	return rungs;
}

unique_fd card::open_events(std::uint64_t from)
{
	drm_oac_events_open request = {};

	request.from = from;
	request.flags = O_CLOEXEC | O_NONBLOCK;
	request.fd = -1;
	call(DRM_IOCTL_OAC_EVENTS_OPEN, &request, "open its event stream");
	return unique_fd(request.fd);
}

std::unique_ptr<event_source> card::event_stream(std::uint64_t from)
{
	return std::make_unique<reader>(open_events(from));
}

/* Each reset comes with an event. */
int card::change_fd() noexcept
{
	const std::lock_guard guard(lock_);
	if (change_.is_open())
		return change_.get();
	try {
		change_ = open_events(0);
	} catch (const std::exception &) {
		return -1;
	}
	return change_.get();
}

std::uint32_t card::context_lost(std::uint32_t context)
{
	for (const auto &raw : read_table<drm_oac_info_context>(DRM_OAC_INFO_CONTEXTS)) {
		if (raw.context == context)
			return raw.lost;
	}
	throw failure(ENOENT, name_ + ": the module does not know this context");
}

void card::recover(std::int64_t deadline)
{
	const unique_fd events = open_events(0);
	const std::int64_t own_time = now_ns() + OWN_TIME_NS;

	for (;;) {
		const health_reading now = health();
		if (is_working(now))
			return;
		if (now.reason == OAC_REASON_GONE)
			fail(ENODEV, "recover");
		/* Starting ends by itself; so does what the driver has not got to yet. */
		const bool is_at_work = now.state == OAC_HEALTH_UNKNOWN ||
					(now.state == OAC_HEALTH_NEEDS_RESET && !now.is_held &&
					 now_ns() < own_time);
		if (!is_at_work) {
			reset_by(OAC_RUNG_SOFT_RESET, 0, deadline);
			return;
		}
		if (deadline != INT64_MAX && now_ns() >= deadline)
			throw failure(ETIMEDOUT,
				      name_ + ": recover: it takes longer; wait again, or look at "
					      "accelctl health");
		pollfd fd{ events.get(), POLLIN, 0 };
		const std::int64_t until = std::min(deadline, now_ns() + LOOK_NS);
		if (ppoll(&fd, 1, time_left(until).get(), nullptr) > 0) {
			std::array<drm_oac_event, 64> ignored;
			if (::read(events.get(), ignored.data(), sizeof(ignored)) == 0)
				lose();
		}
	}
}

void card::reset(std::uint32_t rung, std::int64_t deadline)
{
	reset_by(rung, DRM_OAC_RESET_ONLY, deadline);
}

void card::reset_by(std::uint32_t rung, std::uint32_t flags, std::int64_t deadline)
{
	drm_oac_reset request = {};

	request.rung = rung;
	request.flags = flags;
	request.deadline_ns = static_cast<std::uint64_t>(deadline);
	const int result = try_call(DRM_IOCTL_OAC_RESET, &request);
	if (!is_lost())
		look();
	switch (result) {
	case 0:
		return;
	case -EPERM:
		throw failure(EPERM, name_ + ": resetting a card needs CAP_SYS_ADMIN; run it as "
					     "root");
	case -EACCES:
		throw failure(EACCES, name_ + ": reset: this rung is forbidden; see the module's "
					      "parameter reset_rungs");
	case -EBUSY:
		throw failure(EBUSY, name_ + ": reset: firmware is being loaded; try again when "
					     "that has ended");
	case -ETIMEDOUT:
		throw failure(ETIMEDOUT,
			      name_ + ": reset: it takes longer, and goes on; wait for it with "
				      "accel_device_recover(), or look at accelctl health");
	case -EIO:
		throw failure(EIO, name_ + ": the reset did not help; see accelctl health, and try "
					   "another rung, or power-cycle the host");
	default:
		fail(-result, "reset");
	}
}

std::uint64_t card::self_test(std::int64_t deadline)
{
	drm_oac_self_test request = {};

	request.deadline_ns = static_cast<std::uint64_t>(deadline);
	const int result = try_call(DRM_IOCTL_OAC_SELF_TEST, &request);
	if (result == -EPERM)
		throw failure(EPERM, name_ + ": the self-test needs CAP_SYS_ADMIN; run it as root");
	if (result == -ETIMEDOUT)
		throw failure(ETIMEDOUT, name_ + ": self-test: no answer in time; allow more time");
	if (result < 0)
		fail(-result, "self-test");
	return request.failed;
}

} // namespace accel::kernel
