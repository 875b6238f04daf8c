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

/* A register access waits for so much work at most (tens of microseconds) plus one step. */
static constexpr std::uint64_t BURST_COST = std::uint64_t{ 1 } << 18;
/* While messages come, looks are closer together. */
static constexpr unsigned BURST_STEPS_TALKING = 64;
/* Messages served before the card gets its turn. */
static constexpr unsigned BURST = 64;
/* With nothing due the server still looks up now and then, for the clients it refuses. */
static constexpr std::uint64_t REFUSAL_NS = 200'000'000;

server::server(const emu::card_config &config, const server_options &options)
	: options_(options), has_shared_doorbells_(config.shared_doorbells),
	  stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
	  endpoint_(options.name, config.vectors), card_(config, endpoint_),
	  lobby_(unique_fd(), stop_event_.get()), burst_(BURST_STEPS_TALKING),
	  spin_ns_(std::uint64_t{ options.poll_us } * 1000),
	  park_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
	if (!stop_event_.is_open() || !park_event_.is_open())
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
	unpark();
}

bool server::park()
{
	std::unique_lock lock(parking_lock_);

	if (parking_ != parking::no)
		return false;
	parking_ = parking::wanted;
	eventfd_write(park_event_.get(), 1);
	parking_changed_.wait(lock, [&] { return parking_ != parking::wanted; });
	return parking_ == parking::parked;
}

void server::unpark()
{
	const std::lock_guard lock(parking_lock_);

	if (parking_ != parking::ended)
		parking_ = parking::no;
	parking_changed_.notify_all();
}

bool server::do_between_steps(const std::function<void()> &work)
{
	const std::lock_guard visit(visit_lock_);
	/* also when it throws */
	struct leave {
		server &s;
		~leave() { s.unpark(); }
	};

	if (!park())
		return false;
	const leave at_end{ *this };
	endpoint_.visit(work);
	return true;
}

void server::stay_parked()
{
	std::unique_lock lock(parking_lock_);
	eventfd_t count;

	eventfd_read(park_event_.get(), &count);
	is_park_wanted_ = false;
	if (parking_ != parking::wanted)
		return;
	parking_ = parking::parked;
	parking_changed_.notify_all();
	parking_changed_.wait(lock, [&] { return parking_ != parking::parked; });
}

/* Nobody is to wait for a run() that is over. */
void server::end_parking()
{
	const std::lock_guard lock(parking_lock_);

	parking_ = parking::ended;
	parking_changed_.notify_all();
}

void server::abandon()
{
	end_parking();
	if (client_)
		drop_client("abandoned");
	lobby_ = lobby(unique_fd(), stop_event_.get());
}

void server::run()
{
	while (!is_stopping_) {
		const bool has_worked = work();
		if (!has_worked && !can_look()) {
			sleep();
		} else {
			look_at_sockets(0);
			if (!has_worked && !had_message_ && !is_worth_looking())
				sleep();
		}
		if (is_park_wanted_)
			stay_parked();
	}
	if (client_)
		drop_client("stopped");
	end_parking();
}

/*
 * Lets the card work, or look at its doorbells, for as long as a register access may wait. No clock
 * and no system call in here: a command that comes in is on its way within some nanoseconds. true:
 * the card has done something.
 */
bool server::work()
{
	std::uint64_t cost = 0;
	bool has_worked = false;
	bool was_idle = idle_since_ns_ != 0;

	card_.tick();
	for (unsigned steps = 0; steps < burst_ && cost < BURST_COST; steps++) {
		if (endpoint_.step()) {
			has_worked = true;
			cost += card_.step_cost();
			if (was_idle)
				spin_ns_ = std::uint64_t{ options_.poll_us } * 1000;
		} else if (can_look()) {
			was_idle = true;
		} else {
			return false;
		}
	}
	burst_ = std::min(burst_ * 2, BURST_STEPS);
	if (has_worked)
		idle_since_ns_ = 0;
	return has_worked;
}

/* A burst in vain. true: go on looking. */
bool server::is_worth_looking()
{
	const std::uint64_t now = endpoint_.now_ns();

	if (idle_since_ns_ == 0)
		idle_since_ns_ = now;
	if (now - idle_since_ns_ < spin_ns_)
		return true;
	spin_ns_ /= 2;		/* a client that leaves longer gaps gains nothing by it */
	idle_since_ns_ = 0;
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
	watched_.push_back({ park_event_.get(), POLLIN, 0 });
	lobby_.watch(watched_);
	const timespec timeout{ static_cast<time_t>(timeout_ns / 1'000'000'000),
				static_cast<long>(timeout_ns % 1'000'000'000) };
	had_message_ = false;
	unsigned ours = 0;	/* of those that are ready, not the lobby's */
	const int ready = ppoll(watched_.data(), watched_.size(),
				timeout_ns == UINT64_MAX ? nullptr : &timeout, nullptr);
	if (ready > 0) {
		is_stopping_ = watched_[0].revents != 0;
		is_park_wanted_ = watched_[2].revents != 0;
		ours = (watched_[1].revents != 0) + is_park_wanted_;
		if (watched_[1].revents)
			serve_client();
	}
	if (had_message_)
		burst_ = BURST_STEPS_TALKING;
	if (client_ && endpoint_.is_broken())
		drop_client("connection lost");
	if (!is_stopping_ && (lobby_.has_waiting() || ready > static_cast<int>(ours)))
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

/* The process that connected; 0: none, or one of a PID namespace that cannot be seen from here. */
static pid_t process_of(int fd)
{
	ucred peer{};
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) ? 0 : peer.pid;
}

/* A client on its way out makes room in a moment. */
static bool is_leaving(int fd)
{
	pollfd leaving{ fd, POLLRDHUP, 0 };
	return poll(&leaving, 1, 0) > 0;
}

void server::meet_clients()
{
	lobby_.attend(endpoint_.lines(), client_ ? process_of(client_->fd()) : 0);
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
