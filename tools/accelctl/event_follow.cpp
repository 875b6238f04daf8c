// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Events of cards as they come.
#include "event_follow.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <poll.h>

#include <fmt/format.h>

#include "event_json.hpp"
#include "interruption.hpp"

namespace accelctl
{

namespace
{

struct closer {
	void operator()(accel_event_stream *stream) const { accel_event_stream_close(stream); }
};
using stream_handle = std::unique_ptr<accel_event_stream, closer>;

stream_handle open_stream(const card &of, std::uint64_t from)
{
	accel_event_stream *raw = nullptr;
	const int error = accel_event_stream_open(of.device(), from, &raw);
	if (error != 0)
		throw library_failure(error, of.name());
	return stream_handle(raw);
}

struct source {
	std::string name;
	stream_handle stream;
};

void print_event(const source &of, const accel_event &event, bool is_json)
{
	tree row;

	row["name"] = of.name;
	row.update(event_json(event));
	if (is_json) {
		fmt::print("{}\n", row.dump());
		return;
	}
	const auto detail = row["detail"].get<std::string>();
	fmt::print("{:.6f} {} {} {} {} {}: {}\n", static_cast<double>(event.boot_ns) / 1e9, of.name,
		   event.sequence, row["severity"].get<std::string>(),
		   row["event"].get<std::string>(),
		   detail.empty() ? fmt::format("argument={:#x}", event.argument) : detail,
		   row["meaning"].get<std::string>());
}

/* Takes what is there of one card. false: it is gone. */
bool take(const source &of, unsigned &left, const follow_options &how)
{
	std::array<accel_event, 64> events;
	const unsigned room = how.max ? std::min<unsigned>(left, events.size()) : events.size();
	const int count =
		accel_event_stream_read(of.stream.get(), events.data(), static_cast<int>(room), 0);
	if (count == -ETIMEDOUT)
		return true;
	if (count == -ENODEV)
		return false;
	if (count < 0)
		throw library_failure(count, of.name);
	for (int i = 0; i < count; i++)
		print_event(of, events[static_cast<std::size_t>(i)], how.is_json);
	left -= how.max ? static_cast<unsigned>(count) : 0;
	return true;
}

void wait_for_any(const std::vector<source> &sources, const interruption &stop)
{
	std::vector<pollfd> fds = { { stop.fd(), POLLIN, 0 } };
	for (const source &one : sources) {
		int fd = -1;
		if (const int error = accel_event_stream_fd(one.stream.get(), &fd); error != 0)
			throw library_failure(error, one.name);
		fds.push_back({ fd, POLLIN, 0 });
	}
	poll(fds.data(), fds.size(), -1);
}

} // namespace

void follow_events(card_set &cards, report &into, const follow_options &how)
{
	std::vector<source> sources;
	cards.visit(into, order::one_by_one, [&](card &of, tree &) {
		sources.push_back({ of.string(ACCEL_STRING_NAME).value_or(of.name()),
				    open_stream(of, how.from) });
	});
	const interruption stop;
	unsigned left = how.max;
	while (!stop.has_come() && !sources.empty()) {
		std::erase_if(sources, [&](const source &one) {
			if (how.max && left == 0)
				return false;
			if (take(one, left, how))
				return false;
			into.errors.emplace_back(exit_code::lost, one.name, "the card is gone");
			return true;
		});
		std::fflush(stdout);
		if ((how.max && left == 0) || sources.empty())
			break;
		wait_for_any(sources, stop);
	}
	into.is_printed = true;
}

void read_stream(card &of, tree &row, std::uint64_t from, unsigned max)
{
	const stream_handle stream = open_stream(of, from);
	std::array<accel_event, 64> events;
	row["events"] = tree::array();
	while (row["events"].size() < max) {
		const auto room = std::min<std::size_t>(events.size(), max - row["events"].size());
		const int count = accel_event_stream_read(stream.get(), events.data(),
							  static_cast<int>(room), 0);
		if (count == -ETIMEDOUT || count == -ENODEV)
			return;
		if (count < 0)
			throw library_failure(count, of.name());
		for (int i = 0; i < count; i++)
			row["events"].push_back(event_json(events[static_cast<std::size_t>(i)]));
	}
}

} // namespace accelctl
