// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Workers, each a process, as many as there are to be at a time.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <sys/types.h>

#include "worker.hpp"

namespace stress
{

class crowd
{
public:
	crowd(std::vector<std::string> nodes, unsigned size, bool may_lose_card);
	crowd(const crowd &) = delete;
	crowd &operator=(const crowd &) = delete;
	~crowd();

	/// Kills a random one and puts another in its place. Returns what was wrong with the dead.
	std::string replace_one();
	/// Kills all. Returns what was wrong with any.
	std::string end();
	/// Has one of them ended by itself? That is wrong at any time.
	std::string complaint();

	tally &done() { return *done_; }
	/// Until they have done so many more commands; false: they have not within a minute.
	bool wait_for_commands(unsigned count);
	/// Of what the card has to offer, what none of them has done.
	std::string undone(std::uint64_t features) const;

private:
	pid_t start();
	static std::string kill_one(pid_t pid);

	job what_;
	tally *done_;
	std::mt19937 random_;
	std::vector<pid_t> workers_;
};

} // namespace stress
