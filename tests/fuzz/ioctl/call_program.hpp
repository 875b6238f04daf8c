// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An input of fuzz_ioctl as a short program of calls, and its execution: two bytes and the call is made
// as it works after those before it; the second may ask for other values in some fields. No
// call waits long, and all that a program made is gone when it has ended.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "guest_cards.hpp"
#include "input_bytes.hpp"
#include "ioctl_table.hpp"
#include "side_thread.hpp"

namespace oac::fuzz
{

class call_program
{
public:
	call_program(guest_cards &on, side_thread &beside);
	~call_program();
	call_program(const call_program &) = delete;
	call_program &operator=(const call_program &) = delete;

	void run(std::span<const std::uint8_t> bytes);

	/* The first byte of a step by its name: a call's, or that of an own step here. */
	static std::uint8_t step_byte(const std::string &name);
	/* All of them. */
	static std::vector<std::string> step_names();
	/* A call's second byte: one field has another value; and the byte that says that it follows. */
	static constexpr std::uint8_t one_field = 4, as_it_is = 4;

private:
	/* Something that a call has returned, and on which file. */
	struct thing {
		std::uint64_t value;
		int fd;
		std::uint64_t size;
	};
	struct area {
		void *base;
		std::size_t size;
		int prot;
		meaning what;
		int fd;
	};
	struct file {
		int fd;
		std::uint32_t tail;	/* commands written to its rings */
	};
	/* A call that can be made; the struct is as large as any request can say. */
	struct prepared {
		const call *what;
		int fd;
		unsigned long request;
		std::uint64_t pointer;
		std::unique_ptr<std::array<std::uint64_t, 2048>> before, after;
	};
	using own_step = void (call_program::*)();
	static const std::vector<std::pair<std::string, own_step>> &own_steps();

	void step();
	void pick_file(unsigned which);
	void tell(const std::string &step, int err) const;
	/* ---- Calls */
	prepared prepare(const call &what, std::uint8_t how);
	void change(prepared &made, std::uint8_t how);
	void collect(const prepared &made);
	void make_call(const call &what, std::uint8_t how);
	std::uint64_t fine_value(const slot &of);
	std::uint64_t other_value(const slot &of);
	std::uint64_t pick_pointer();
	const thing *latest(meaning what) const;
	int latest_fd(meaning what) const;
	void forget_last(const call &what, const prepared &made);
	/* ---- Own steps */
	void open_on(std::size_t card, int flags);
	void open_node();
	void close_file();
	void map_buffer();
	void map_doorbell();
	void map_dmabuf();
	void unmap();
	void touch();
	void write_command();
	void ring();
	void make_eventfd();
	void read_events();
	void poll_all();
	void close_other();
	void drop_rights();
	void signal_syncobj();
	void wait_syncobj();
	void export_fence();
	void fork_child();
	void together();

	void map(const thing &what, meaning kind);
	area *latest_area(meaning what);

	guest_cards &cards_;
	side_thread &beside_;
	input_bytes in_;
	std::uint8_t how_ = 0;		/* second byte of the step that runs */
	std::vector<file> files_;
	std::size_t current_ = 0;
	std::map<meaning, std::vector<thing>> things_;
	std::vector<area> areas_;
	bool has_rights_ = true;
	int first_fd_;
};

} // namespace oac::fuzz
