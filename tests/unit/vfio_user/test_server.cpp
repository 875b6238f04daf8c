// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The server's loop: clients that come, go and are too many; doorbells, sleep and time.
#include "client.hpp"

#include <sys/mman.h>
#include <sys/un.h>

#include <filesystem>

namespace oac::vfio_user
{

using namespace std::chrono_literals;

/* A server that listens, in a directory of its own. */
class listening : public server_test
{
protected:
	void listen_here()
	{
		char name[] = "/tmp/test-vfio-user-XXXXXX";
		dir_ = mkdtemp(name);
		path_ = dir_ + "/card0.sock";
		address_.sun_family = AF_UNIX;
		std::memcpy(address_.sun_path, path_.c_str(), path_.size() + 1);
		unique_fd door(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
		ASSERT_EQ(bind(door.get(), reinterpret_cast<sockaddr *>(&address_),
			       sizeof(address_)),
			  0);
		ASSERT_EQ(listen(door.get(), 16), 0);
		server_ =
			std::make_unique<server>(emu::card_config{}, server_options{ "test", 20 });
		server_->listen_on(std::move(door));
		thread_ = std::thread([this] { server_->run(); });
	}

	client connected()
	{
		unique_fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
		EXPECT_EQ(connect(socket.get(), reinterpret_cast<sockaddr *>(&address_),
				  sizeof(address_)),
			  0);
		return client(std::move(socket));
	}

	void TearDown() override
	{
		server_test::TearDown();
		std::filesystem::remove_all(dir_);
	}

	std::string dir_;
	std::string path_;
	sockaddr_un address_{};
};

TEST_F(listening, clients_one_after_another_find_the_card_as_it_was_left)
{
	listen_here();
	for (std::uint32_t i = 0; i < 100; i++) {
		client next = connected();
		next.greet();
		EXPECT_EQ(next.read32(0x20), i);
		EXPECT_EQ(next.write32(0x20, i + 1), 0u);
	}
}

TEST_F(listening, maps_and_interrupts_go_with_their_client)
{
	listen_here();
	hooks_.on_step = [](emu::card_port &port) {
		bytes data(16);
		return port.dma_read(0x1000, data);
	};
	const unique_fd file(memfd_create("test", MFD_CLOEXEC));
	ASSERT_EQ(ftruncate(file.get(), 4096), 0);
	const auto open_fds = [] {
		const std::filesystem::directory_iterator all("/proc/self/fd");
		return std::distance(begin(all), end(all));
	};
	const auto before = open_fds();
	{
		client first = connected();
		first.greet();
		ASSERT_EQ(first.map(0x1000, 0x1000, file.get()), 0u);
		first.go();
		EXPECT_TRUE(first.wait_result());
	}
	client second = connected();
	EXPECT_EQ(second.error_of(VFIO_USER_VERSION, version_text(VFIO_USER_CLIENT_CAPABILITIES)),
		  0u);
	second.go();
	EXPECT_FALSE(second.wait_result());
	EXPECT_EQ(open_fds(), before + 2);	/* both ends of the second connection */
}

TEST_F(listening, a_second_client_is_told_that_the_card_is_busy)
{
	listen_here();
	client first = connected();
	first.greet();
	for (unsigned i = 0; i < 3; i++) {
		client second = connected();
		const auto start = std::chrono::steady_clock::now();
		EXPECT_EQ(
			second.call(VFIO_USER_VERSION, version_text(QEMU_CAPABILITIES)).header.error,
			unsigned{ EBUSY });
		EXPECT_TRUE(second.is_hung_up());
		EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms);
	}
	/* the answer names this very process, and has no more bytes than the question */
	client curious = connected();
	const message busy = curious.call(VFIO_USER_VERSION, version_text(QEMU_CAPABILITIES));
	EXPECT_EQ(busy.header.error, unsigned{ EBUSY });
	EXPECT_TRUE(busy.header.flags & VFIO_USER_FLAG_ERROR);
	const std::string text(reinterpret_cast<const char *>(busy.payload.data()),
			       busy.payload.size());
	EXPECT_EQ(text, "{\"holder\": " + std::to_string(getpid()) + "}");
	client terse = connected();
	EXPECT_EQ(terse.error_of(VFIO_USER_VERSION, pack(vfio_user_version{ 0, 0 })),
		  unsigned{ EBUSY });
	EXPECT_TRUE(terse.is_hung_up());
	client silent = connected();
	EXPECT_TRUE(silent.is_hung_up());
	first.read32(0);
}

TEST_F(listening, disconnect_in_the_middle_of_a_message)
{
	listen_here();
	const auto whole = encode(vfio_user_header{ 1, VFIO_USER_VERSION, 0, 0, 0 },
				  version_text(QEMU_CAPABILITIES));
	for (const std::size_t size :
	     { std::size_t{ 1 }, std::size_t{ 15 }, std::size_t{ 16 }, whole.size() - 1 }) {
		client broken = connected();
		broken.send_raw(std::span(whole).first(size));
	}
	client next = connected();
	next.greet();
}

TEST_F(listening, a_client_that_leaves_unread_replies_behind)
{
	listen_here();
	{
		client first = connected();
		first.greet();
		for (unsigned i = 0; i < 50; i++)
			first.send(
				VFIO_USER_REGION_READ,
				pack(vfio_user_region_access{ 0, VFIO_USER_REGION_CONFIG, 4096 }));
	}
	client next = connected();
	next.greet();
}

class loop : public server_test
{
protected:
	static std::uint64_t now_ns()
	{
		timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
		       static_cast<std::uint64_t>(now.tv_nsec);
	}
	bool is_asleep_soon() const
	{
		const std::uint64_t end = now_ns() + 20'000'000'000;
		while (!hooks_.is_asleep) {
			if (now_ns() > end)
				return false;
			std::this_thread::yield();
		}
		return true;
	}
};

TEST_F(loop, shared_doorbells_are_seen_awake_and_asleep)
{
	start_greeted();
	const message m =
		client_->call(VFIO_USER_DEVICE_GET_REGION_INFO,
			      pack(vfio_user_region_info{ 32, 0, OAC_BAR_DOORBELL, 0, 0, 0 }));
	ASSERT_EQ(m.fds.size(), 1u);
	auto *page = static_cast<std::uint32_t *>(
		mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m.fds[0].get(), 0));
	ASSERT_NE(page, MAP_FAILED);
	for (std::uint32_t i = 1; i <= 50; i++) {
		if (i % 5 == 0) {
			ASSERT_TRUE(is_asleep_soon());
		}
		const unsigned before = hooks_.doorbells;
		std::atomic_ref(*page).store(i);
		if (hooks_.is_asleep) {
			EXPECT_EQ(client_->write32(0, i, OAC_BAR_DOORBELL), 0u);
		}
		while (hooks_.doorbells == before)
			std::this_thread::yield();
	}
	EXPECT_GT(hooks_.sleeps, 0u);
	munmap(page, 4096);
}

TEST_F(loop, an_idle_card_takes_no_time)
{
	start_greeted();
	ASSERT_TRUE(is_asleep_soon());
	timespec before;
	timespec after;
	clockid_t clock;
	ASSERT_EQ(pthread_getcpuclockid(thread_.native_handle(), &clock), 0);
	clock_gettime(clock, &before);
	/* Nothing is to happen, so it takes a time: one in which a card that looks shows. */
	std::this_thread::sleep_for(100ms);
	clock_gettime(clock, &after);
	const auto used =
		(after.tv_sec - before.tv_sec) * 1'000'000'000 + (after.tv_nsec - before.tv_nsec);
	EXPECT_LT(used, 5'000'000);
}

TEST_F(loop, wakes_for_what_is_due)
{
	const std::uint64_t due = now_ns() + 100'000'000;
	hooks_.next_event_ns = due;
	start();
	ASSERT_TRUE(is_asleep_soon());
	const unsigned early = hooks_.sleeps;
	if (now_ns() < due) {
		EXPECT_LE(early, 3u);
	}
	while (hooks_.sleeps == early && now_ns() < due + 20'000'000'000)
		std::this_thread::yield();
	EXPECT_GT(hooks_.sleeps, early);
	EXPECT_GE(now_ns(), due);
}

TEST_F(loop, stops_at_once)
{
	start_greeted();
	const auto begin = std::chrono::steady_clock::now();
	server_->stop();
	thread_.join();
	EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);
	EXPECT_TRUE(client_->is_hung_up());
	server_.reset();
}

} // namespace oac::vfio_user
