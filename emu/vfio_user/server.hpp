// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Runs one card and serves one client at a time, on the thread that calls run(): it lets the card
// work, looks at the sockets in between, and sleeps when there is nothing to do. Between clients
// the card keeps its state.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <poll.h>

#include "endpoint.hpp"
#include "lobby.hpp"
#include "socket_channel.hpp"

namespace oac::vfio_user
{

struct server_options {
	std::string name;		/* in log lines */
	/* How long to look at shared doorbells before sleeping, at most. 0: not at all. */
	unsigned poll_us = 20;
};

class server
{
public:
	/* Throws what the card throws, std::system_error. */
	server(const emu::card_config &config, const server_options &options);

	/* Call one of them once before run(): a connected socket, or a listening one. */
	void adopt(unique_fd connection);
	void listen_on(unique_fd listener);

	/* Until stop(). */
	void run();
	/* From any thread. */
	void stop();
	/*
	 * From any thread but run()'s: halts run() between two steps, card awake, so that the caller
	 * may do its work with step(); unpark() lets it go on. false: parked already, or at its end.
	 */
	bool park();
	bool step()
	{
		/* what work() does, a step at a time */
		if (--steps_to_tick_ == 0) [[unlikely]] {
			steps_to_tick_ = BURST_STEPS;
			card_.tick();
		}
		return endpoint_.step();
	}
	void unpark();
	/*
	 * From any thread: does the work while the card stands still between two steps. One at a
	 * time; false: the card is parked by another, or run() is over: not done.
	 */
	bool do_between_steps(const std::function<void()> &work);
	/* After run() has thrown: the client sees its connection close. */
	void abandon();

	endpoint &port() { return endpoint_; }
	emu::card &card() { return card_; }

private:
	static constexpr unsigned BURST_STEPS = 1024;	/* before the next look elsewhere */

	void look_at_sockets(std::uint64_t timeout_ns);
	void serve_client();
	void meet_clients();
	void drop_client(const char *why);
	bool can_look() const { return has_shared_doorbells_ && spin_ns_ != 0; }
	bool work();
	bool is_worth_looking();
	void sleep();
	void stay_parked();
	void end_parking();

	server_options options_;
	bool has_shared_doorbells_;
	unique_fd stop_event_;
	endpoint endpoint_;
	emu::card card_;
	lobby lobby_;
	std::unique_ptr<socket_channel> client_;
	std::vector<pollfd> watched_;
	bool is_stopping_ = false;
	bool had_message_ = false;
	unsigned burst_;		/* steps before the next look at the sockets */
	std::uint64_t spin_ns_;		/* how long looking paid off lately, 0..poll_us */
	std::uint64_t idle_since_ns_ = 0;	/* looking in vain; 0: not */
	unsigned steps_to_tick_ = 1;	/* while parked */

	enum class parking { no, wanted, parked, ended };
	std::mutex visit_lock_; /* one do_between_steps() at a time; taken before parking_lock_ */
	std::mutex parking_lock_;	/* guards parking_ */
	std::condition_variable parking_changed_;
	parking parking_ = parking::no;
	unique_fd park_event_;
	bool is_park_wanted_ = false;	/* run()'s own: it has seen the event */
};

} // namespace oac::vfio_user
