// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What fork() does to the library: handles stay with the parent. Nothing on the data path asks in
// which process it is; in the child, before fork() returns there, each thing in the list below is
// told to end itself: backends are lost and close the child's copies of their descriptors, rings
// look full. Everything else asks the device in which process it was opened.
#pragma once

#include <atomic>

namespace accel
{

/* Forks between the first process and this one. A handle of another generation is the parent's. */
extern std::atomic<unsigned> fork_generation;

/* Told in the child; it is leaked there: its destructor would reach for what is the parent's. */
class fork_member
{
public:
	/* One thread, no lock of another can be taken: its holder may not exist any more. */
	virtual void abandon() noexcept = 0;

protected:
	~fork_member() = default;
};

/*
 * A member's place in the list: its last data member, so that another thread's fork() finds the
 * member only while it is whole.
 */
class fork_entry
{
public:
	explicit fork_entry(fork_member &member);
	fork_entry(const fork_entry &) = delete;
	fork_entry &operator=(const fork_entry &) = delete;
	~fork_entry();

private:
	friend class fork_list;
	fork_member &member_;
	fork_entry *next_ = nullptr;
	fork_entry *previous_ = nullptr;
};

} // namespace accel
