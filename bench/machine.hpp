// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The machine as a measurement sees it: which cores there are, what runs on which of them, and how
// much of them other processes take meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/types.h>

namespace bench
{

std::int64_t now_ns();

/* Cores this process may use, as it was started. */
const std::vector<int> &cores();
/* The host's thread runs on the first one, the card on the second. */
constexpr unsigned HOST = 0;
constexpr unsigned CARD = 1;
/* whose: HOST or CARD; with one core both are the same. tid 0: the calling thread. */
void pin(pid_t tid, unsigned whose);
/* All threads of this process with a name that begins so; all threads of another process. */
void pin_threads(const std::string &name, unsigned whose);
void pin_process(pid_t process, unsigned whose);

/* Processes whose time counts as ours. */
void count_as_ours(pid_t process);
void count_no_longer(pid_t process);

/* How much of one core all others took since it was made. */
class watch_others
{
public:
	watch_others();
	double load() const;

private:
	std::int64_t begin_;
	double all_;
	double ours_;
};

/* Waits until others take less than this, at most so long; returns the time it took. */
std::int64_t wait_for_quiet(double load, std::int64_t at_most_ns);

} // namespace bench
