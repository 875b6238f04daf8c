// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards as the benchmarks use them: opened by the public API, in this process, in another one, or
// stepped by the measuring thread itself. Everything throws std::runtime_error with the library's
// text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <accel/accel.h>
#include <accel/accel_emu.h>

namespace bench
{

template <auto Destroy>
struct destroyer {
	template <typename T>
	void operator()(T *handle) const
	{
		Destroy(handle);
	}
};

using device_ptr = std::unique_ptr<accel_device, destroyer<accel_device_close>>;
using context_ptr = std::unique_ptr<accel_context, destroyer<accel_context_destroy>>;
using queue_ptr = std::unique_ptr<accel_queue, destroyer<accel_queue_destroy>>;
using buffer_ptr = std::unique_ptr<accel_buffer, destroyer<accel_buffer_free>>;

/* Passes a count on; throws what accel_error_text() says. */
int check(int result);

/* A buffer and where a context sees it. */
struct mapped {
	buffer_ptr buffer;
	std::uint64_t address = 0;
};

/* A card with a context of our own. */
class card
{
public:
	/* As accel_device_open() takes it. */
	explicit card(const std::string &name);
	card(card &&) = default;

	queue_ptr make_queue(unsigned flags = 0, unsigned depth = 256) const;
	/* In host memory, or in the card's. */
	mapped make_buffer(std::size_t size, bool is_local = false) const;
	accel_device *device() const { return device_.get(); }
	accel_context *context() const { return context_.get(); }

private:
	device_ptr device_;
	context_ptr context_;
};

/* The name of the emulated card that two-core figures use; its thread is on the card's core. */
std::string card_in_process(unsigned index = 0);
void pin_cards_in_process(unsigned whose);
/* The one that is named on the command line, else card_in_process(). */
std::string chosen_card();
void choose_card(const std::string &name);

/* A request of docs/emulator.md to a card of this process; throws what it says against it. */
void control_card(unsigned index, const std::string &request);

/* While it lives, the calling thread is the card's: see accel_emu.h. Set up everything before. */
class inline_card
{
public:
	explicit inline_card(unsigned index);
	inline_card(const inline_card &) = delete;
	inline_card &operator=(const inline_card &) = delete;
	~inline_card();

	bool step() const { return step_(card_) != 0; }
	void work() const
	{
		while (step()) {}
	}

private:
	accel_emu_card *card_;
	decltype(&accel_emu_card_step) step_;
};

/* accel-emu serving cards on sockets, on the card's core; ends with this. */
class card_server
{
public:
	explicit card_server(unsigned cards);
	card_server(const card_server &) = delete;
	card_server &operator=(const card_server &) = delete;
	~card_server();

	const std::string &directory() const { return directory_; }
	std::string card(unsigned index) const;

private:
	void wait_until_ready();
	void end();

	std::string directory_;
	pid_t process_ = -1;
	int output_ = -1;		/* open as long as it may have something to say */
};

/* Where accel-emu is; what was built with us if not set. */
void choose_server(const std::string &program);

} // namespace bench
