// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See fork.hpp. The list's lock is held over fork(), so that the child finds the list whole.
#include "fork.hpp"

#include <cstddef>
#include <mutex>
#include <new>

#include <pthread.h>

#include "error.hpp"

namespace accel
{

std::atomic<unsigned> fork_generation{ 0 };

class fork_list
{
public:
	fork_list()
	{
		if (const int error = pthread_atfork(before, in_parent, in_child))
			throw failure(error, "no room to be told of fork(): " + errno_text(error));
	}
	void add(fork_entry &entry)
	{
		const std::lock_guard lock(mutex_);
		entry.next_ = first_;
		if (first_)
			first_->previous_ = &entry;
		first_ = &entry;
	}
	void remove(fork_entry &entry) noexcept
	{
		const std::lock_guard lock(mutex_);
		(entry.previous_ ? entry.previous_->next_ : first_) = entry.next_;
		if (entry.next_)
			entry.next_->previous_ = entry.previous_;
	}
	/* Never destroyed: fork() may come after exit() began. */
	static fork_list &the()
	{
		alignas(fork_list) static std::byte place[sizeof(fork_list)];
		static fork_list *const list = new (place) fork_list;
		return *list;
	}

private:
	static void before() { the().mutex_.lock(); }
	static void in_parent() { the().mutex_.unlock(); }
	static void in_child()
	{
		fork_list &list = the();
		fork_generation.fetch_add(1, std::memory_order_relaxed);
		for (fork_entry *one = list.first_; one; one = one->next_)
			one->member_.abandon();
		list.first_ = nullptr;
		list.mutex_.unlock();
	}

	std::mutex mutex_;		/* guards the list */
	fork_entry *first_ = nullptr;
};

fork_entry::fork_entry(fork_member &member) : member_(member)
{
	fork_list::the().add(*this);
}

fork_entry::~fork_entry()
{
	fork_list::the().remove(*this);
}

} // namespace accel
