// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The client's end of a connection, for tests: sends what it is told, however wrong, and checks
// replies.
#pragma once

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <cstring>
#include <initializer_list>
#include <thread>
#include <vector>

#include <vfio_user/server.hpp>

#include "fake_card.hpp"

namespace oac::vfio_user
{

using bytes = std::vector<std::byte>;

template <typename... Parts>
bytes pack(const Parts &...parts)
{
	bytes all;
	const auto add = [&](const auto &part) {
		const auto raw = std::as_bytes(std::span(&part, 1));
		all.insert(all.end(), raw.begin(), raw.end());
	};
	(add(parts), ...);
	return all;
}

template <typename Part>
Part part_of(const message &m, std::size_t offset = 0)
{
	Part part{};
	EXPECT_LE(offset + sizeof(part), m.payload.size());
	if (offset + sizeof(part) <= m.payload.size())
		std::memcpy(&part, m.payload.data() + offset, sizeof(part));
	return part;
}

inline bytes version_text(const char *json)
{
	bytes all = pack(vfio_user_version{ 0, 0 });
	const auto raw = std::as_bytes(std::span(json, std::strlen(json) + 1));
	all.insert(all.end(), raw.begin(), raw.end());
	return all;
}

inline const char QEMU_CAPABILITIES[] =
	"{\"capabilities\": {\"pgsizes\": 4096, \"max_msg_fds\": 16, \"max_dma_maps\": 65535, "
	"\"max_data_xfer_size\": 1048576, \"migration\": {\"max_bitmap_size\": 268435456, "
	"\"pgsize\": 4096}, \"write_multiple\": true}}";

class client
{
public:
	explicit client(unique_fd socket) : fd_(socket.get()), channel_(std::move(socket), -1) {}

	int fd() const { return fd_; }
	bool is_closed() const { return channel_.is_closed(); }

	void send_raw(std::span<const std::byte> data, std::span<const int> fds = {})
	{
		iovec iov{ const_cast<std::byte *>(data.data()), data.size() };
		msghdr header{};
		header.msg_iov = &iov;
		header.msg_iovlen = 1;
		alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {};
		if (!fds.empty()) {
			header.msg_control = control;
			header.msg_controllen = CMSG_SPACE(fds.size_bytes());
			cmsghdr *rights = CMSG_FIRSTHDR(&header);
			rights->cmsg_level = SOL_SOCKET;
			rights->cmsg_type = SCM_RIGHTS;
			rights->cmsg_len = CMSG_LEN(fds.size_bytes());
			std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
		}
		ASSERT_EQ(sendmsg(fd_, &header, MSG_NOSIGNAL), static_cast<ssize_t>(data.size()));
	}

	void send(unsigned cmd, const bytes &payload, std::span<const int> fds = {},
		  std::uint32_t flags = 0)
	{
		vfio_user_header header{};
		header.id = ++id_;
		header.cmd = static_cast<std::uint16_t>(cmd);
		header.flags = flags;
		send_raw(encode(header, payload), fds);
	}

	message receive()
	{
		auto m = channel_.receive(std::chrono::seconds(10));
		EXPECT_TRUE(m) << "no message";
		return m ? std::move(*m) : message{};
	}

	/* The reply to what was sent last. */
	message reply(unsigned cmd)
	{
		message m = receive();
		EXPECT_TRUE(m.is_reply());
		EXPECT_EQ(m.header.cmd, cmd);
		EXPECT_EQ(m.header.id, id_);
		return m;
	}

	message call(unsigned cmd, const bytes &payload, std::span<const int> fds = {})
	{
		send(cmd, payload, fds);
		return reply(cmd);
	}

	/* The errno it is answered with, 0 = success. */
	unsigned error_of(unsigned cmd, const bytes &payload, std::span<const int> fds = {})
	{
		const message m = call(cmd, payload, fds);
		const bool is_error = m.header.flags & VFIO_USER_FLAG_ERROR;
		EXPECT_EQ(m.header.flags & 0xf, VFIO_USER_TYPE_REPLY);
		EXPECT_EQ(is_error, m.header.error != 0);
		EXPECT_TRUE(!is_error || m.header.size == 16);
		return m.header.error;
	}

	void greet()
	{
		EXPECT_EQ(error_of(VFIO_USER_VERSION, version_text(QEMU_CAPABILITIES)), 0u);
	}

	/* The server has closed, after what is read here. */
	bool is_hung_up()
	{
		while (auto m = channel_.receive(std::chrono::seconds(5)))
			;
		return channel_.is_closed();
	}

	unsigned write32(std::uint64_t offset, std::uint32_t value, std::uint32_t region = 0)
	{
		return error_of(VFIO_USER_REGION_WRITE,
				pack(vfio_user_region_access{ offset, region, 4 }, value));
	}

	std::uint32_t read32(std::uint64_t offset, std::uint32_t region = 0)
	{
		const message m = call(VFIO_USER_REGION_READ,
				       pack(vfio_user_region_access{ offset, region, 4 }));
		EXPECT_EQ(m.header.error, 0u);
		return part_of<std::uint32_t>(m, sizeof(vfio_user_region_access));
	}

	unsigned map(std::uint64_t address, std::uint64_t size, int fd = -1,
		     std::uint64_t offset = 0, std::uint32_t flags = VFIO_USER_DMA_MAP_FLAGS)
	{
		return error_of(VFIO_USER_DMA_MAP,
				pack(vfio_user_dma_map{ 32, flags, offset, address, size }),
				fd < 0 ? std::span<const int>() : std::span<const int>(&fd, 1));
	}

	unsigned unmap(std::uint64_t address, std::uint64_t size, std::uint32_t flags = 0)
	{
		return error_of(VFIO_USER_DMA_UNMAP,
				pack(vfio_user_dma_unmap{ 24, flags, address, size }));
	}

	unsigned set_irqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start,
			  std::uint32_t count, std::span<const int> fds = {})
	{
		return error_of(VFIO_USER_DEVICE_SET_IRQS,
				pack(vfio_user_irq_set{ 20, flags, index, start, count }), fds);
	}

	/* Starts on_step; its result comes with wait_result(). */
	void go() { EXPECT_EQ(write32(FAKE_GO, 1), 0u); }
	bool wait_result()
	{
		std::uint32_t result;
		/* Each look is a message that the server answers between two steps. */
		while (!(result = read32(FAKE_RESULT)))
			std::this_thread::yield();
		EXPECT_EQ(write32(FAKE_RESULT, 0), 0u);
		return result == 2;
	}

private:
	int fd_;
	socket_channel channel_;
	std::uint16_t id_ = 0;
};

/* A server with a fake card on a thread, and one client of it. */
class server_test : public testing::Test
{
protected:
	void SetUp() override
	{
		log_set_level(log_level::error);
		fake = &hooks_;
	}

	void start(bool is_shared = true, unsigned vectors = OAC_MSIX_VECTORS)
	{
		emu::card_config config;
		config.vectors = vectors;
		config.shared_doorbells = is_shared;
		server_ = std::make_unique<server>(config, server_options{ "test", 20 });
		int ends[2];
		ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		server_->adopt(unique_fd(ends[0]));
		client_ = std::make_unique<client>(unique_fd(ends[1]));
		thread_ = std::thread([this] { server_->run(); });
	}

	void start_greeted(bool is_shared = true)
	{
		start(is_shared);
		client_->greet();
	}

	void TearDown() override
	{
		if (server_) {
			server_->stop();
			thread_.join();
		}
	}

	fake_hooks hooks_;
	std::unique_ptr<server> server_;
	std::unique_ptr<client> client_;
	std::thread thread_;
};

} // namespace oac::vfio_user
