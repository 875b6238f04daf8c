// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Numbers: of contexts, queues, clients at once. Nothing leaks, as the card, the driver and this
// process tell, and limits say which they are.
#include "fixture.hpp"

#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

namespace
{

constexpr unsigned CLIENTS = 64;

/// What this process holds, on the card and of its own.
struct holdings {
	std::size_t files = 0;
	std::uint64_t contexts = 0, queues = 0, host_bytes = 0, local_bytes = 0, local_free = 0;
	bool operator==(const holdings &) const = default;
};

std::ostream &operator<<(std::ostream &to, const holdings &all)
{
	return to << all.files << " descriptors, " << all.contexts << " contexts, " << all.queues
		  << " queues, " << all.host_bytes << " bytes, " << all.local_bytes
		  << " of local memory, of which " << all.local_free << " are free";
}

std::size_t count_lines(const char *path)
{
	std::ifstream file(path);
	std::string line;
	std::size_t count = 0;
	while (std::getline(file, line))
		count++;
	return count;
}

class many_test : public api::card_test
{
protected:
	void SetUp() override
	{
		card_test::SetUp();
		ASSERT_FALSE(HasFatalFailure());
		/* A queue needs some descriptors, an in-process card as many again. For good: an open
		 * card keeps those of its interrupts. */
		rlimit more{};
		ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &more), 0);
		more.rlim_cur = std::max(more.rlim_cur, std::min<rlim_t>(more.rlim_max, 16384));
		ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &more), 0);
		if (more.rlim_cur < 8192)
			GTEST_SKIP() << "needs 8192 open files, the limit is " << more.rlim_cur;
	}
	holdings held()
	{
		namespace fs = std::filesystem;
		holdings all;
		all.contexts = number(ACCEL_NUMBER_CONTEXTS);
		all.queues = number(ACCEL_NUMBER_QUEUES);
		all.local_free = number(ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES);
		std::vector<accel_client> clients(2 * CLIENTS);
		const int count = accel_device_clients(device().get(), clients.data(),
						       static_cast<int>(clients.size()));
		EXPECT_GE(count, 1) << accel_error_text();
		clients.resize(static_cast<std::size_t>(std::max(count, 0)));
		for (const accel_client &one : clients) {
			if (one.pid != getpid())
				continue;
			all.host_bytes += one.host_bytes;
			all.local_bytes += one.local_bytes;
		}
		const fs::directory_iterator files("/proc/self/fd");
		all.files = static_cast<std::size_t>(std::distance(begin(files), end(files)));
		return all;
	}

	/// Each client with its own handle on the card, in a thread of its own.
	void with_clients(const std::function<void(accel::device &, unsigned index)> &work)
	{
		const std::string name = string(ACCEL_STRING_NAME);
		std::vector<std::thread> all;
		for (unsigned i = 0; i < CLIENTS; i++)
			all.emplace_back([&work, &name, i] {
				try {
					accel::device own(name);
					work(own, i);
				} catch (const std::exception &error) {
					ADD_FAILURE() << "client " << i << ": " << error.what();
				}
			});
		for (std::thread &one : all)
			one.join();
	}

	/// The second time must leave what the first left: a first time may fill caches.
	void expect_no_leak(const std::function<void()> &work)
	{
		work();
		const holdings before = held();
		const std::size_t maps_before = count_lines("/proc/self/maps");
		const std::size_t heap_before = mallinfo2().uordblks;
		work();
		EXPECT_EQ(held(), before);
		/* Fewer than one each; the C library keeps some for the threads that were. */
		EXPECT_LT(count_lines("/proc/self/maps"), maps_before + CLIENTS / 2);
		EXPECT_LT(mallinfo2().uordblks, heap_before + (256 << 10)) << "bytes allocated";
	}
};

TEST_F(many_test, ten_thousand_contexts)
{
	const unsigned each = scaled(10'000) / 2 / CLIENTS + 1;
	expect_no_leak([&] {
		with_clients([&](accel::device &own, unsigned) {
			for (unsigned i = 0; i < each; i++)
				accel::context one(own);
		});
	});
}

TEST_F(many_test, a_thousand_queues_of_all_clients_at_once)
{
	const unsigned total = scaled(1000);
	ASSERT_GE(number(ACCEL_NUMBER_MAX_QUEUES), total);
	std::atomic<std::uint64_t> most{ 0 };
	expect_no_leak([&] {
		std::barrier all_there(CLIENTS), all_seen(CLIENTS);
		with_clients([&](accel::device &own, unsigned index) {
			const unsigned count = (total + index) / CLIENTS;
			std::optional<accel::context> context;
			std::vector<accel::queue> queues;
			std::string wrong;
			try {
				context.emplace(own);
				for (unsigned i = 0; i < count; i++)
					queues.emplace_back(*context, 4);
			} catch (const std::exception &error) {
				wrong = error.what();
			}
			EXPECT_EQ(wrong, "") << "client " << index;
			all_there.arrive_and_wait();
			if (index == 0)
				most = own.number(ACCEL_NUMBER_QUEUES).value_or(0);
			for (accel::queue &one : queues) {
				EXPECT_DONE(
					api::run(one, [&](auto tag) { return one.try_nop(tag); }));
			}
			all_seen.arrive_and_wait();
		});
		EXPECT_EQ(most, total);
	});
}

/// Takes as many as there are; the error says of what, and one given back is one to have.
template <typename Make>
void expect_limit(const char *what, std::uint64_t most, const Make &make)
{
	using handle = decltype(make());
	std::vector<handle> all;
	std::string text;
	int code = 0;
	while (code == 0 && all.size() <= most) {
		try {
			all.push_back(make());
		} catch (const std::system_error &error) {
			code = error.code().value();
			text = error.what();
		}
	}
	EXPECT_TRUE(code == ENOSPC || code == EDQUOT) << code << ", " << all.size();
	EXPECT_NE(text.find(what), std::string::npos) << text;
	EXPECT_GE(all.size(), most / 2);
	ASSERT_FALSE(all.empty());
	all.pop_back();
	EXPECT_NO_THROW(all.push_back(make()));
}

TEST_F(many_test, limits_are_named)
{
	const std::uint64_t contexts = number(ACCEL_NUMBER_MAX_CONTEXTS);
	const std::uint64_t queues = number(ACCEL_NUMBER_MAX_QUEUES);
	expect_limit("contexts", contexts, [&] { return accel::context(device()); });
	{
		const accel::context context(device());
		expect_limit("queues", queues, [&] { return accel::queue(context, 2); });
	}
	api::expect_works(device());
}

} // namespace
