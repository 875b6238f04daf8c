// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The vfio-user client and its bus against a peer that answers rightly, wrongly, late or never.
#include "vfio_user_client.hpp"

#include <atomic>
#include <cstring>
#include <stdexcept>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <gtest/gtest.h>

#include <hw/oac_regs.h>

#include "bus_vfio_user.hpp"
#include "clock.hpp"
#include "error.hpp"
#include "patience.hpp"
#include "scripted_peer.hpp"

using accel::unique_fd;
using accel::direct::bus_vfio_user;
using accel::direct::vfio_user_client;

namespace
{

constexpr std::int64_t TIMEOUT = 20 * accel::NS_PER_S;
constexpr std::int64_t SHORT = 100 * accel::NS_PER_MS;
constexpr std::uint32_t QUESTION = 0x11223344;

/* What request() throws, as a positive errno; 0: nothing. */
int error_of(vfio_user_client &client, std::size_t reply_min = 0)
{
	try {
		client.request(VFIO_USER_REGION_READ, bytes_of(QUESTION), {}, {}, reply_min);
		return 0;
	} catch (const std::system_error &error) {
		EXPECT_NE(std::string(error.what()).find("card test"), std::string::npos);
		return error.code().value();
	}
}

/* A peer that plays a script for the first command, and what the client makes of it. */
struct outcome {
	int error;
	bool is_dead;
};

outcome play(scripted_peer::script script, std::size_t reply_min = 0,
	     std::int64_t timeout = TIMEOUT)
{
	scripted_peer peer(std::move(script));
	vfio_user_client client(peer.take_client(), "test", timeout);
	const int error = error_of(client, reply_min);
	return { error, client.is_dead() };
}

TEST(vfio_user_client, a_callers_patience_ends_without_the_connection)
{
	std::atomic<bool> is_left{ false };
	scripted_peer peer([&](scripted_peer &self) {
		const auto first = self.receive();
		is_left.wait(false);
		self.reply(first, bytes_of(QUESTION));
		const auto second = self.receive();
		self.reply(second, bytes_of(second.header.id));
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	{
		const accel::direct::patience limit(accel::now_ns() + SHORT);
		EXPECT_EQ(error_of(client), ETIMEDOUT);
	}
	EXPECT_FALSE(client.is_dead());
	is_left = true;
	is_left.notify_one();
	const auto reply = client.request(VFIO_USER_REGION_READ, bytes_of(QUESTION), {}, {}, 2);
	EXPECT_EQ(reply.payload.size(), 2u) << "the late answer is nobody's";
}

TEST(vfio_user_client, request_and_reply)
{
	scripted_peer peer([](scripted_peer &self) {
		for (std::uint32_t i = 0; i < 3; i++) {
			const auto command = self.receive();
			EXPECT_EQ(command.header.cmd, VFIO_USER_REGION_READ);
			EXPECT_EQ(command.header.flags, VFIO_USER_TYPE_COMMAND);
			EXPECT_EQ(command.header.size, sizeof(vfio_user_header) + 8);
			EXPECT_EQ(command.payload.size(), 8u);
			self.reply(command, bytes_of(i));
		}
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	for (std::uint32_t i = 0; i < 3; i++) {
		const auto reply = client.request(VFIO_USER_REGION_READ, bytes_of(QUESTION),
						  bytes_of(QUESTION), {}, 4);
		std::uint32_t answer;
		ASSERT_EQ(reply.payload.size(), sizeof(answer));
		std::memcpy(&answer, reply.payload.data(), sizeof(answer));
		EXPECT_EQ(answer, i);
	}
}

TEST(vfio_user_client, descriptors_go_both_ways)
{
	const unique_fd sent(eventfd(0, EFD_CLOEXEC));
	scripted_peer peer([](scripted_peer &self) {
		const auto command = self.receive();
		ASSERT_EQ(command.fds.size(), 1u);
		eventfd_write(command.fds[0].get(), 5);
		self.reply(command, {}, command.fds[0].get());
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	const int fd = sent.get();
	const auto reply = client.request(VFIO_USER_DEVICE_SET_IRQS, bytes_of(QUESTION), {},
					  std::span(&fd, 1), 0);
	ASSERT_EQ(reply.fds.size(), 1u);
	eventfd_t value = 0;
	eventfd_read(reply.fds[0].get(), &value);
	EXPECT_EQ(value, 5u);
}

TEST(vfio_user_client, an_error_reply_is_its_errno_and_no_end)
{
	scripted_peer peer([](scripted_peer &self) {
		for (std::uint32_t error : { std::uint32_t{ EBUSY }, 0u, 0xffffffffu })
			self.reply_error(self.receive(), error);
		self.reply(self.receive(), {});
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(error_of(client), EBUSY);
	EXPECT_EQ(error_of(client), EPROTO);
	EXPECT_EQ(error_of(client), EPROTO);
	EXPECT_EQ(error_of(client), 0);
	EXPECT_FALSE(client.is_dead());
}

TEST(vfio_user_client, a_short_reply_is_an_end)
{
	const auto seen = play(
		[](scripted_peer &self) { self.reply(self.receive(), bytes_of(QUESTION)); }, 5);
	EXPECT_EQ(seen.error, EPROTO);
	EXPECT_TRUE(seen.is_dead);
}

TEST(vfio_user_client, a_wrong_id_is_an_end)
{
	const auto seen = play([](scripted_peer &self) {
		auto command = self.receive();
		command.header.id++;
		self.reply(command, {});
	});
	EXPECT_EQ(seen.error, EPROTO);
	EXPECT_TRUE(seen.is_dead);
}

TEST(vfio_user_client, a_wrong_command_is_an_end)
{
	const auto seen = play([](scripted_peer &self) {
		auto command = self.receive();
		command.header.cmd = VFIO_USER_DMA_MAP;
		self.reply(command, {});
	});
	EXPECT_EQ(seen.error, EPROTO);
	EXPECT_TRUE(seen.is_dead);
}

TEST(vfio_user_client, impossible_sizes_are_an_end)
{
	for (std::uint32_t size : { 0u, 15u, VFIO_USER_MAX_MESSAGE_SIZE + 1, 0xffffffffu }) {
		const auto seen = play([size](scripted_peer &self) {
			vfio_user_header header = self.receive().header;
			header.flags = VFIO_USER_TYPE_REPLY;
			header.size = size;
			self.send(header, {});
		});
		EXPECT_EQ(seen.error, EPROTO) << size;
		EXPECT_TRUE(seen.is_dead);
	}
}

TEST(vfio_user_client, a_peer_that_hangs_has_a_deadline)
{
	const std::int64_t start = accel::now_ns();
	const auto seen = play([](scripted_peer &self) { self.wait_for_end(); }, 0, SHORT);
	EXPECT_EQ(seen.error, ETIMEDOUT);
	EXPECT_TRUE(seen.is_dead);
	EXPECT_GE(accel::now_ns() - start, SHORT);
}

TEST(vfio_user_client, half_a_reply_has_a_deadline)
{
	const auto seen = play(
		[](scripted_peer &self) {
			vfio_user_header header = self.receive().header;
			header.flags = VFIO_USER_TYPE_REPLY;
			header.size = sizeof(header) + 100;
			self.send(header, bytes_of(QUESTION));
			self.wait_for_end();
		},
		0, SHORT);
	EXPECT_EQ(seen.error, ETIMEDOUT);
}

TEST(vfio_user_client, a_peer_that_reads_nothing_has_a_deadline)
{
	scripted_peer peer([](scripted_peer &self) {
		pollfd none{ -1, 0, 0 };
		poll(&none, 1, 300);
		self.hang_up();
	});
	vfio_user_client client(peer.take_client(), "test", SHORT);
	const std::vector<std::byte> much(VFIO_USER_MAX_DATA_XFER_SIZE);
	try {
		client.request(VFIO_USER_REGION_WRITE, bytes_of(QUESTION), much, {}, 0);
		ADD_FAILURE() << "nobody read it";
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code().value(), ETIMEDOUT);
	}
	EXPECT_TRUE(client.is_dead());
}

TEST(vfio_user_client, death_is_for_good_and_wakes)
{
	scripted_peer peer([](scripted_peer &self) {
		self.receive();
		self.hang_up();
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(error_of(client), ENODEV);
	EXPECT_TRUE(client.is_dead());
	EXPECT_EQ(error_of(client), ENODEV);
	EXPECT_EQ(client.post(VFIO_USER_REGION_WRITE, bytes_of(QUESTION)), -ENODEV);
	pollfd fd{ client.fd(), POLLRDHUP, 0 };
	EXPECT_EQ(poll(&fd, 1, 0), 1);
}

TEST(vfio_user_client, a_posted_write_has_no_reply_and_no_signal)
{
	scripted_peer peer([](scripted_peer &self) {
		const auto posted = self.receive();
		EXPECT_EQ(posted.header.flags, VFIO_USER_TYPE_COMMAND | VFIO_USER_FLAG_NO_REPLY);
		self.reply(self.receive(), {});
		self.hang_up();
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(client.post(VFIO_USER_REGION_WRITE, bytes_of(QUESTION)), 0);
	EXPECT_EQ(error_of(client), 0);
	/* SIGPIPE would end the test. */
	int result = 0;
	for (int i = 0; i < 100 && result == 0; i++) {
		result = client.post(VFIO_USER_REGION_WRITE, bytes_of(QUESTION));
		pollfd none{ -1, 0, 0 };
		poll(&none, 1, 1);
	}
	EXPECT_EQ(result, -ENODEV);
}

TEST(vfio_user_client, the_peers_own_commands_are_refused_in_between)
{
	scripted_peer peer([](scripted_peer &self) {
		const auto command = self.receive();
		vfio_user_header ask{};
		ask.id = 77;
		ask.cmd = VFIO_USER_DMA_READ;
		const vfio_user_dma_access access{ 0x1000, 8 };
		ask.size = sizeof(ask) + sizeof(access);
		self.send(ask, bytes_of(access));
		const auto refusal = self.receive();
		EXPECT_EQ(refusal.header.id, 77);
		EXPECT_EQ(refusal.header.flags, VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR);
		EXPECT_EQ(refusal.header.error, static_cast<std::uint32_t>(EFAULT));
		self.reply(command, {});
	});
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(error_of(client), 0);
}

/* A server of the few commands that a bus sends first; variations are the tests'. */
struct fake_device {
	std::uint16_t vendor = OAC_PCI_VENDOR_ID;
	std::uint32_t device_flags = VFIO_USER_DEVICE_IS_PCI;
	std::uint16_t version_major = 0;
	std::uint32_t vectors = OAC_MSIX_VECTORS;
	std::uint64_t bar4_size = 0x4000;
	std::uint64_t area_size = 0x4000;	/* of the one sparse area */
	std::uint64_t file_size = 0x4000;

	void serve(scripted_peer &peer) const
	{
		for (auto command = peer.receive(); command.is_there(); command = peer.receive())
			answer(peer, command);
	}
	void answer(scripted_peer &peer, const scripted_peer::command &command) const
	{
		switch (command.header.cmd) {
		case VFIO_USER_VERSION:
			peer.reply(command, bytes_of(vfio_user_version{ version_major, 0 }));
			break;
		case VFIO_USER_DEVICE_GET_INFO:
			peer.reply(command, bytes_of(vfio_user_device_info{ 16, device_flags,
									    VFIO_USER_NUM_REGIONS,
									    VFIO_USER_NUM_IRQS }));
			break;
		case VFIO_USER_DEVICE_GET_REGION_INFO:
			answer_region(peer, command);
			break;
		case VFIO_USER_DEVICE_GET_IRQ_INFO:
			peer.reply(command,
				   bytes_of(vfio_user_irq_info{ 16, VFIO_USER_IRQ_EVENTFD,
								VFIO_USER_IRQ_MSIX, vectors }));
			break;
		case VFIO_USER_REGION_READ:
			answer_read(peer, command);
			break;
		default:
			if (!(command.header.flags & VFIO_USER_FLAG_NO_REPLY))
				peer.reply(command, {});
		}
	}
	void answer_region(scripted_peer &peer, const scripted_peer::command &command) const
	{
		struct {
			vfio_user_region_info info{};
			vfio_user_sparse_mmap sparse{};
			vfio_user_sparse_area area{};
		} reply;
		std::memcpy(&reply.info, command.payload.data(), sizeof(reply.info));
		reply.info.size = OAC_BAR_REGS_SIZE;
		reply.info.flags = VFIO_USER_REGION_CAN_READ | VFIO_USER_REGION_CAN_WRITE;
		if (reply.info.index != OAC_BAR_DOORBELL) {
			peer.reply(command, bytes_of(reply.info));
			return;
		}
		const unique_fd file(memfd_create("bar4", MFD_CLOEXEC));
		EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(file_size)), 0);
		reply.info.size = bar4_size;
		reply.info.flags |= VFIO_USER_REGION_CAN_MMAP | VFIO_USER_REGION_HAS_CAPS;
		reply.info.cap_offset = sizeof(reply.info);
		reply.info.argsz = sizeof(reply);
		reply.sparse.header = { VFIO_USER_CAP_SPARSE_MMAP, 1, 0 };
		reply.sparse.nr_areas = 1;
		reply.area.size = area_size;
		peer.reply(command, bytes_of(reply), file.get());
	}
	void answer_read(scripted_peer &peer, const scripted_peer::command &command) const
	{
		struct {
			vfio_user_region_access access{};
			std::uint16_t ids[2]{};
		} reply;
		std::memcpy(&reply.access, command.payload.data(), sizeof(reply.access));
		reply.ids[0] = vendor;
		reply.ids[1] = OAC_PCI_DEVICE_ID;
		peer.reply(command,
			   bytes_of(reply).first(sizeof(reply.access) + reply.access.count));
	}
};

int open_error(const fake_device &device)
{
	scripted_peer peer([&](scripted_peer &self) { device.serve(self); });
	try {
		bus_vfio_user bus(peer.take_client(), "test", TIMEOUT);
		return 0;
	} catch (const std::system_error &error) {
		return error.code().value();
	}
}

TEST(bus_vfio_user, maps_doorbells_that_are_given_out_whole)
{
	const fake_device device;
	scripted_peer peer([&](scripted_peer &self) { device.serve(self); });
	bus_vfio_user bus(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(bus.doorbells_size(), 0x4000u);
	EXPECT_EQ(bus.doorbells().size(), 0x4000u);
	EXPECT_EQ(bus.vectors(), OAC_MSIX_VECTORS);
	EXPECT_EQ(bus.doorbell_write(0x1000, 1, 4), 0);
	EXPECT_FALSE(bus.is_dead());
}

TEST(bus_vfio_user, maps_nothing_that_could_end_in_SIGBUS)
{
	fake_device device;
	device.file_size = 0x3000;
	scripted_peer peer([&](scripted_peer &self) { device.serve(self); });
	bus_vfio_user bus(peer.take_client(), "test", TIMEOUT);
	EXPECT_EQ(bus.doorbells_size(), 0x4000u);
	EXPECT_TRUE(bus.doorbells().empty());
}

TEST(bus_vfio_user, maps_nothing_that_is_given_out_in_part)
{
	fake_device device;
	device.area_size = 0x1000;
	scripted_peer peer([&](scripted_peer &self) { device.serve(self); });
	bus_vfio_user bus(peer.take_client(), "test", TIMEOUT);
	EXPECT_TRUE(bus.doorbells().empty());
}

TEST(bus_vfio_user, refuses_what_is_no_card)
{
	EXPECT_EQ(open_error({}), 0);
	EXPECT_EQ(open_error({ .vendor = 0x8086 }), EPROTO);
	EXPECT_EQ(open_error({ .device_flags = 0 }), EPROTO);
	EXPECT_EQ(open_error({ .version_major = 1 }), EPROTO);
	EXPECT_EQ(open_error({ .vectors = 0 }), EPROTO);
	EXPECT_EQ(open_error({ .vectors = 1 }), 0);
}

/* What the client understands of who holds the card; nothing of it may upset it. */
std::int32_t holder_of(std::string_view text)
{
	scripted_peer peer(
		[&](scripted_peer &self) { self.reply_error(self.receive(), EBUSY, text); });
	vfio_user_client client(peer.take_client(), "test", TIMEOUT);
	try {
		client.request(VFIO_USER_VERSION, {}, {}, {}, 0);
	} catch (const accel::direct::refusal &error) {
		EXPECT_EQ(error.code().value(), EBUSY);
		EXPECT_FALSE(client.is_dead());
		return error.holder();
	}
	ADD_FAILURE() << "no refusal";
	return -1;
}

TEST(vfio_user_client, a_refusal_may_name_the_holder)
{
	EXPECT_EQ(holder_of("{\"holder\": 4711}"), 4711);
	EXPECT_EQ(holder_of("{\"since\":3,\"holder\":1}"), 1);
	for (const char *text :
	     { "", "{}", "{\"holder\"", "{\"holder\":", "{\"holder\": -5}",
	       "{\"holder\": 99999999999}", "{\"holder\": \"init\"}", "holder: 3" })
		EXPECT_EQ(holder_of(text), 0) << text;
}

TEST(bus_vfio_user, a_card_in_use_is_busy)
{
	scripted_peer peer([](scripted_peer &self) { self.reply_error(self.receive(), EBUSY); });
	try {
		bus_vfio_user bus(peer.take_client(), "test", TIMEOUT);
		ADD_FAILURE() << "opened";
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code().value(), EBUSY);
	}
}

} // namespace
