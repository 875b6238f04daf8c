// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card behind a socket that a test may kill, or stop for a while: accel-emu of the same build tree, in a process and a
// directory of its own. In a guest there is none.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace api
{

class emulator_process
{
public:
	/// Returns when the card takes clients. Throws std::runtime_error if it does not.
	explicit emulator_process(const std::vector<std::string> &options = {});
	emulator_process(const emulator_process &) = delete;
	emulator_process &operator=(const emulator_process &) = delete;
	~emulator_process();

	/// false: there is no accel-emu to start.
	bool is_there() const { return pid_ > 0; }
	std::string socket() const { return directory_ + "/card0.sock"; }
	/// Without a good-bye, and waits for its end.
	void kill();
	/// The card answers nothing from here on, until it goes on.
	void halt();
	void go_on();

private:
	std::string directory_;
	pid_t pid_ = -1;
	int output_ = -1;	/* its end of what it says; open for as long as it may speak */
};

} // namespace api
