// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See event_log.hpp.
#include "event_log.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <sys/eventfd.h>

#include "clock.hpp"
#include "error.hpp"
#include "unique_fd.hpp"

namespace accel::direct
{

namespace
{

struct driver_event {
	std::uint8_t severity = OAC_SEVERITY_INFO;
	std::uint8_t action = OAC_ACTION_NONE;
};

driver_event driver_event_of(std::uint16_t code)
{
	switch (code) {
#define X(name, severity, action, text) \
	case OAC_EVENT_##name: \
		return { OAC_SEVERITY_##severity, OAC_ACTION_##action };
		OAC_DRIVER_EVENTS(X)
#undef X
	default:
		return {};
	}
}

} // namespace

/* The descriptor is readable exactly while there is something to read, or the end to be told. */
class event_log::reader final : public event_source
{
public:
	reader(std::shared_ptr<event_log> of, std::uint64_t from)
		: log_(std::move(of)), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
	{
		if (!event_.is_open())
			throw failure(errno, "event stream: no eventfd: " + errno_text(errno));
		const std::lock_guard lock(log_->mutex_);
		next_ = from > 0 ? from : log_->last_ + 1;
		/* All that are kept: nothing was missed. */
		if (from == 1)
			next_ = first();
		log_->readers_.push_back(this);
		if (has_news())
			wake();
	}
	~reader() override
	{
		const std::lock_guard lock(log_->mutex_);
		std::erase(log_->readers_, this);
	}
	int fd() const noexcept override { return event_.get(); }
	int read(std::span<event_reading> to) noexcept override;
	void wake() const noexcept { eventfd_write(event_.get(), 1); }

private:
	std::uint64_t first() const noexcept { return log_->last_ + 1 - log_->events_.size(); }
	bool has_news() const noexcept { return next_ <= log_->last_ || log_->is_closed_; }
	event_reading missed() noexcept;

	std::shared_ptr<event_log> log_;
	unique_fd event_;
	std::uint64_t next_ = 1;	/* under the log's mutex */
};

/* In place of those that are not kept any more. */
event_reading event_log::reader::missed() noexcept
{
	event_reading event;
	event.sequence = first() - 1;
	event.argument = first() - next_;
	event.code = OAC_EVENT_MISSED;
	event.severity = driver_event_of(OAC_EVENT_MISSED).severity;
	event.action = driver_event_of(OAC_EVENT_MISSED).action;
	event.boot_ns = log_->events_.front().boot_ns;
	event.generation = log_->events_.front().generation;
	next_ = first();
	return event;
}

int event_log::reader::read(std::span<event_reading> to) noexcept
{
	const std::lock_guard lock(log_->mutex_);
	std::size_t count = 0;
	if (count < to.size() && next_ < first())
		to[count++] = missed();
	for (; count < to.size() && next_ <= log_->last_; next_++)
		to[count++] = log_->events_[next_ - first()];
	const bool is_end = count == 0 && log_->is_closed_;
	if (!has_news()) {
		eventfd_t ignored;
		eventfd_read(event_.get(), &ignored);
	}
	return is_end ? -ENODEV : static_cast<int>(count);
}

void event_log::add(event_reading event)
{
	timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	event.boot_ns = static_cast<std::uint64_t>(now.tv_sec * NS_PER_S + now.tv_nsec);
	const std::lock_guard lock(mutex_);
	if (is_closed_)
		return;
	event.sequence = last_ + 1;
	events_.push_back(event);
	last_++;
	if (events_.size() > KEPT)
		events_.pop_front();
	for (const reader *one : readers_)
		one->wake();
}

void event_log::add(std::uint16_t code, std::uint64_t argument, std::uint32_t generation,
		    std::uint32_t context, std::uint16_t queue)
{
	event_reading event;
	event.code = code;
	event.argument = argument;
	event.generation = generation;
	event.context = context;
	event.queue = queue;
	event.severity = driver_event_of(code).severity;
	event.action = driver_event_of(code).action;
	add(event);
}

void event_log::close() noexcept
{
	const std::lock_guard lock(mutex_);
	is_closed_ = true;
	for (const reader *one : readers_)
		one->wake();
}

std::unique_ptr<event_source> event_log::open(std::uint64_t from)
{
	return std::make_unique<reader>(shared_from_this(), from);
}

} // namespace accel::direct
