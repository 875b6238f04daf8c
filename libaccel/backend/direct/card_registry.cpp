// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See card_registry.hpp; and how a card is reached by its name.
#include "card_registry.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

#include "bus_vfio_user.hpp"
#include "clock.hpp"
#include "deadline_mutex.hpp"
#include "error.hpp"
#include "fork.hpp"

namespace accel::direct
{

namespace
{

constexpr std::string_view EMULATED = "emu:";
constexpr std::string_view SOCKET = "socket:";
constexpr std::int64_t MESSAGE_TIMEOUT_NS = 10 * NS_PER_S;

struct entry {
	deadline_mutex mutex;		/* held while the card is started: one by one per card */
	std::weak_ptr<card> opened;
	std::shared_ptr<card> kept;	/* emulated cards */
};

class registry final : public fork_member
{
public:
	/* The parent's cards, whose threads are not here, are left as they are, and not stopped. */
	void abandon() noexcept override
	{
		new (&mutex_) std::mutex;
		new (&entries_) decltype(entries_);
	}
	std::shared_ptr<entry> at(const std::string &name)
	{
		const std::lock_guard lock(mutex_);
		auto &found = entries_[name];
		if (!found)
			found = std::make_shared<entry>();
		return found;
	}
	/* At exit: the cards' threads must not outlive what they use. Handles may still be open. */
	void stop_all() noexcept
	{
		const std::lock_guard lock(mutex_);
		for (const auto &[name, one] : entries_) {
			if (const auto running = one->opened.lock())
				running->stop();
		}
	}

private:
	std::mutex mutex_;		/* guards entries_ */
	std::map<std::string, std::shared_ptr<entry>> entries_;
	fork_entry fork_entry_{ *this };
};

registry &the_registry()
{
	static registry cards;
	return cards;
}

/*
 * Made after the emulator has started a card for the first time, so destroyed before what the
 * emulator keeps in statics of its own.
 */
struct stopper {
	~stopper() { the_registry().stop_all(); }
};

unique_fd connect_socket(const std::string &name, const std::string &path)
{
	sockaddr_un address{};
	address.sun_family = AF_UNIX;
	if (path.size() >= sizeof(address.sun_path))
		throw failure(ENODEV, "card " + name + ": the path is too long for a socket");
	std::memcpy(address.sun_path, path.data(), path.size());
	unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (!socket.is_open())
		throw failure(errno, "card " + name + ": no socket: " + errno_text(errno));
	/* A server that takes nobody in any more keeps its clients waiting in here. */
	const timeval limit{ MESSAGE_TIMEOUT_NS / NS_PER_S, 0 };
	setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address))) {
		if (errno == EAGAIN)
			throw failure(ETIMEDOUT, "card " + name +
							 ": accel-emu does not answer; is it "
							 "stopped?");
		const int code = errno == EACCES || errno == EPERM ? EACCES : ENODEV;
		throw failure(code, "card " + name + ": cannot connect: " + errno_text(errno) +
					    "; is accel-emu running there, and may you use it?");
	}
	return socket;
}

std::shared_ptr<card> start_emulated(const std::string &name)
{
	unsigned index = 0;
	std::from_chars(name.data() + EMULATED.size(), name.data() + name.size(), index);
	unique_fd socket;
	auto emulated = std::make_unique<emulated_card>(index, socket);
	static const stopper stop_at_exit;
	auto bus = std::make_unique<bus_vfio_user>(std::move(socket), name, MESSAGE_TIMEOUT_NS);
	return std::make_shared<card>(name, "", std::move(bus), std::move(emulated));
}

std::shared_ptr<card> start_at_socket(const std::string &name)
{
	const std::string path = name.substr(SOCKET.size());
	unique_fd socket = connect_socket(name, path);
	try {
		auto bus = std::make_unique<bus_vfio_user>(std::move(socket), name,
							   MESSAGE_TIMEOUT_NS);
		return std::make_shared<card>(name, path, std::move(bus), nullptr);
	} catch (const refusal &error) {
		if (error.code().value() != EBUSY)
			throw;
		const std::string holder = error.holder() > 0 ?
						   "process " + std::to_string(error.holder()) :
						   "another process";
		throw failure(EBUSY, "card " + name + ": " + holder +
					     " uses it; wait or end that process");
	}
}

} // namespace

std::shared_ptr<card> open_card(const std::string &name)
{
	const auto place = the_registry().at(name);
	const deadline_lock lock(place->mutex, deadline_after(ACCEL_TIMEOUT_DEFAULT),
				 "card " + name);
	if (auto running = place->opened.lock(); running && !running->is_lost())
		return running;
	place->kept.reset();
	const bool is_emulated = name.starts_with(EMULATED);
	auto started = is_emulated ? start_emulated(name) : start_at_socket(name);
	place->opened = started;
	if (is_emulated)
		place->kept = started;
	return started;
}

} // namespace accel::direct
