// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See server.hpp.
#include "server.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace oac::vfio_user
{

/* A register access waits for so long at most, plus one step of the card. */
static constexpr std::uint64_t SLICE_NS = 50'000;
/* Messages served before the card gets its turn. */
static constexpr unsigned BURST = 64;
/* With nothing due the server still looks up now and then, for the clients it refuses. */
static constexpr std::uint64_t REFUSAL_NS = 200'000'000;

server::server(const emu::card_config &config, const server_options &options)
	: options_(options), has_shared_doorbells_(config.shared_doorbells),
	  stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), endpoint_(options.name),
	  card_(config, endpoint_), lobby_(unique_fd(), stop_event_.get()),
	  spin_ns_(std::uint64_t{ options.poll_us } * 1000)
{
	if (!stop_event_.is_open())
		throw std::system_error(errno, std::generic_category(), "eventfd");
	endpoint_.attach(card_);
}

void server::adopt(unique_fd connection)
{
	client_ = std::make_unique<socket_channel>(std::move(connection), stop_event_.get());
	endpoint_.connect(*client_);
}

void server::listen_on(unique_fd listener)
{
	lobby_ = lobby(std::move(listener), stop_event_.get());
}

void server::stop()
{
	eventfd_write(stop_event_.get(), 1);
}

void server::abandon()
{
	if (client_)
		drop_client("abandoned");
	lobby_ = lobby(unique_fd(), stop_event_.get());
}

void server::run()
{
	while (!is_stopping_) {
		if (work_a_slice())
			look_at_sockets(0);
		else if (!spin())
			sleep();
	}
	if (client_)
		drop_client("stopped");
}

/* true: the card has more to do. */
bool server::work_a_slice()
{
	const std::uint64_t end = endpoint_.now_ns() + SLICE_NS;
	bool has_more;
	do {
		has_more = endpoint_.step();
	} while (has_more && endpoint_.now_ns() < end);
	return has_more;
}

/* Looks at doorbells and sockets for a while. true: there was something. */
bool server::spin()
{
	if (!has_shared_doorbells_ || spin_ns_ == 0)
		return false;
	const std::uint64_t end = endpoint_.now_ns() + spin_ns_;
	do {
		look_at_sockets(0);
		if (had_message_ || is_stopping_ || endpoint_.step()) {
			spin_ns_ = std::uint64_t{ options_.poll_us } * 1000;
			return true;
		}
	} while (endpoint_.now_ns() < end);
	spin_ns_ /= 2;		/* a client that leaves longer gaps gains nothing by it */
	return false;
}

void server::sleep()
{
	const std::uint64_t limit = std::uint64_t{ options_.poll_us } * 1000;
	if (has_shared_doorbells_ && !card_.fall_asleep()) {
		card_.wake();
		return;
	}
	const std::uint64_t now = endpoint_.now_ns();
	std::uint64_t timeout = lobby_.has_waiting() ? REFUSAL_NS : UINT64_MAX;
	if (const auto next = card_.next_event_ns())
		timeout = std::min(timeout, *next > now ? *next - now : 0);
	look_at_sockets(timeout);
	if (has_shared_doorbells_)
		card_.wake();
	/* It would have been caught by looking: do that again. */
	if (had_message_ && endpoint_.now_ns() - now < limit)
		spin_ns_ = limit;
}

/* Waits for a message, a client or the end; serves what is there. */
void server::look_at_sockets(std::uint64_t timeout_ns)
{
	watched_.clear();
	watched_.push_back({ stop_event_.get(), POLLIN, 0 });
	watched_.push_back({ client_ ? client_->fd() : -1, POLLIN, 0 });
	lobby_.watch(watched_);
	const timespec timeout{ static_cast<time_t>(timeout_ns / 1'000'000'000),
				static_cast<long>(timeout_ns % 1'000'000'000) };
	had_message_ = false;
	const int ready = ppoll(watched_.data(), watched_.size(),
				timeout_ns == UINT64_MAX ? nullptr : &timeout, nullptr);
	if (ready > 0) {
		is_stopping_ = watched_[0].revents != 0;
		if (watched_[1].revents)
			serve_client();
	}
	if (client_ && endpoint_.is_broken())
		drop_client("connection lost");
	if (!is_stopping_ && (lobby_.has_waiting() || ready > (watched_[1].revents ? 1 : 0)))
		meet_clients();
}

void server::serve_client()
{
	for (unsigned i = 0; i < BURST; i++) {
		auto m = client_->try_receive();
		if (!m)
			break;
		had_message_ = true;
		if (!endpoint_.handle(std::move(*m))) {
			drop_client("protocol error");
			return;
		}
	}
	if (client_->is_closed())
		drop_client(client_->is_midway() ? "left in the middle of a message" : "left");
}

void server::drop_client(const char *why)
{
	endpoint_.lines().write(log_level::info, "client: %s", why);
	endpoint_.disconnect();
	client_.reset();
}

/* A client on its way out makes room in a moment. */
static bool is_leaving(int fd)
{
	pollfd leaving{ fd, POLLRDHUP, 0 };
	return poll(&leaving, 1, 0) > 0;
}

void server::meet_clients()
{
	lobby_.attend(endpoint_.lines());
	while (!client_ || !is_leaving(client_->fd())) {
		auto visitor = lobby_.admit(endpoint_.lines());
		if (!visitor.is_open())
			break;
		if (client_) {
			lobby_.refuse(std::move(visitor));
			continue;
		}
		endpoint_.lines().write(log_level::info, "client connected");
		adopt(std::move(visitor));
	}
}

} // namespace oac::vfio_user
