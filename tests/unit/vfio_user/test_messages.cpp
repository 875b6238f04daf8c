// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The server's messages, one wrong thing at a time, with exact errors; and their pieces.
#include "client.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <filesystem>

namespace oac::vfio_user
{

using messages = server_test;

static long open_fds()
{
	const std::filesystem::directory_iterator all("/proc/self/fd");
	return std::distance(begin(all), end(all));
}

TEST_F(messages, version_reply_is_no_longer_than_qemus_request)
{
	start();
	const message m = client_->call(VFIO_USER_VERSION, version_text(QEMU_CAPABILITIES));
	EXPECT_EQ(m.header.error, 0u);
	EXPECT_LE(m.header.size, 214u);
	EXPECT_EQ(part_of<vfio_user_version>(m).minor, 0u);
	EXPECT_EQ(m.payload.back(), std::byte{ 0 });
	EXPECT_STREQ(reinterpret_cast<const char *>(m.payload.data()) + 4,
		     "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}");
}

TEST_F(messages, bad_versions_end_the_connection)
{
	bytes unterminated = version_text("{}");
	unterminated.pop_back();
	bytes major = version_text("{}");
	major[0] = std::byte{ 1 };
	const bytes bad[] = { unterminated,
			      major,
			      pack(std::uint16_t{ 0 }),
			      {},
			      version_text("{\"capabilities\":"),
			      version_text("[]"),
			      version_text("{\"capabilities\":7}") };
	for (const auto &payload : bad) {
		start();
		EXPECT_EQ(client_->error_of(VFIO_USER_VERSION, payload), unsigned{ EINVAL });
		EXPECT_TRUE(client_->is_hung_up());
		TearDown();
	}
	server_.reset();
}

TEST_F(messages, version_comes_first_and_once)
{
	start();
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_INFO,
				    pack(vfio_user_device_info{ 16, 0, 0, 0 })),
		  unsigned{ EINVAL });
	EXPECT_TRUE(client_->is_hung_up());
	TearDown();
	start_greeted();
	EXPECT_EQ(client_->error_of(VFIO_USER_VERSION, version_text("{}")), unsigned{ EINVAL });
	client_->read32(0);
}

TEST_F(messages, empty_capabilities_are_enough)
{
	start();
	EXPECT_EQ(client_->error_of(VFIO_USER_VERSION, version_text("{}")), 0u);
}

TEST_F(messages, sizes_that_cannot_be_framed_end_the_connection)
{
	for (const std::uint32_t size : { 0u, 15u, VFIO_USER_MAX_MESSAGE_SIZE + 1, 0xffffffffu }) {
		start_greeted();
		client_->send_raw(pack(vfio_user_header{ 9, VFIO_USER_DEVICE_RESET, size, 0, 0 }));
		const message m = client_->receive();
		EXPECT_EQ(m.header.id, 9u);
		EXPECT_EQ(m.header.error, unsigned{ EINVAL });
		EXPECT_TRUE(client_->is_hung_up());
		TearDown();
	}
	server_.reset();
}

TEST_F(messages, unknown_commands_are_answered)
{
	start_greeted();
	for (const unsigned cmd : { 0u, 6u, 11u, 12u, 14u, 15u, 16u, 999u, 65535u })
		EXPECT_EQ(client_->error_of(cmd, {}), unsigned{ EOPNOTSUPP }) << cmd;
	EXPECT_EQ(EOPNOTSUPP, 95);
}

TEST_F(messages, device_info)
{
	start_greeted();
	const message m = client_->call(VFIO_USER_DEVICE_GET_INFO,
					pack(vfio_user_device_info{ 16, 0, 0, 0 }));
	const auto info = part_of<vfio_user_device_info>(m);
	EXPECT_EQ(m.header.size, 32u);
	EXPECT_EQ(info.argsz, 16u);
	EXPECT_EQ(info.flags, 3u);
	EXPECT_EQ(info.num_regions, 9u);
	EXPECT_EQ(info.num_irqs, 5u);
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_INFO,
				    pack(vfio_user_device_info{ 15, 0, 0, 0 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_INFO, pack(std::uint64_t{ 16 })),
		  unsigned{ EINVAL });
}

TEST_F(messages, region_info_of_each)
{
	start_greeted(false);
	const std::uint64_t sizes[] = {
		OAC_BAR_REGS_SIZE, 0, FAKE_BAR2_SIZE, 0, FAKE_BAR4_SIZE, 0, 0, 4096, 0
	};
	for (std::uint32_t i = 0; i < VFIO_USER_NUM_REGIONS; i++) {
		const message m = client_->call(VFIO_USER_DEVICE_GET_REGION_INFO,
						pack(vfio_user_region_info{ 32, 0, i, 0, 0, 0 }));
		const auto info = part_of<vfio_user_region_info>(m);
		EXPECT_EQ(m.header.error, 0u);
		EXPECT_EQ(info.index, i);
		EXPECT_EQ(info.size, sizes[i]);
		EXPECT_EQ(info.flags & 3, sizes[i] ? 3u : 0u);
		EXPECT_EQ(m.fds.size(), i == OAC_BAR_LMEM ? 1u : 0u);
		EXPECT_EQ(m.header.size, 48u);
	}
}

TEST_F(messages, mappable_region_info_in_two_passes)
{
	start_greeted();
	for (const std::uint32_t bar : { OAC_BAR_LMEM, OAC_BAR_DOORBELL }) {
		const message first =
			client_->call(VFIO_USER_DEVICE_GET_REGION_INFO,
				      pack(vfio_user_region_info{ 32, 0, bar, 0, 0, 0 }));
		const auto brief = part_of<vfio_user_region_info>(first);
		EXPECT_EQ(first.header.size, 48u);
		EXPECT_EQ(brief.flags, 0xfu);
		EXPECT_EQ(brief.argsz, 64u);
		EXPECT_EQ(brief.cap_offset, 32u);
		EXPECT_EQ(first.fds.size(), 1u);

		const message second =
			client_->call(VFIO_USER_DEVICE_GET_REGION_INFO,
				      pack(vfio_user_region_info{ brief.argsz, 0, bar, 0, 0, 0 }));
		EXPECT_EQ(second.header.size, 16 + brief.argsz);
		EXPECT_EQ(second.fds.size(), 1u);
		const auto sparse = part_of<vfio_user_sparse_mmap>(second, brief.cap_offset);
		EXPECT_EQ(sparse.header.id, 1u);
		EXPECT_EQ(sparse.header.version, 1u);
		EXPECT_EQ(sparse.header.next, 0u);
		EXPECT_EQ(sparse.nr_areas, 1u);
		const auto area = part_of<vfio_user_sparse_area>(second, brief.cap_offset + 16);
		EXPECT_EQ(area.offset, 0u);
		EXPECT_EQ(area.size, brief.size);
	}
}

TEST_F(messages, region_info_refuses)
{
	start_greeted();
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_REGION_INFO,
				    pack(vfio_user_region_info{ 31, 0, 0, 0, 0, 0 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_REGION_INFO,
				    pack(vfio_user_region_info{ 32, 0, 9, 0, 0, 0 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_REGION_INFO, {}), unsigned{ EINVAL });
}

TEST_F(messages, irq_info_of_each)
{
	start_greeted();
	for (std::uint32_t i = 0; i < VFIO_USER_NUM_IRQS; i++) {
		const message m = client_->call(VFIO_USER_DEVICE_GET_IRQ_INFO,
						pack(vfio_user_irq_info{ 16, 0, i, 0 }));
		EXPECT_EQ(m.header.error, 0u);
		EXPECT_EQ(part_of<vfio_user_irq_info>(m).count, i == 2 ? 64u : 0u);
	}
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_IRQ_INFO,
				    pack(vfio_user_irq_info{ 16, 0, 5, 0 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_GET_IRQ_INFO,
				    pack(vfio_user_irq_info{ 8, 0, 2, 0 })),
		  unsigned{ EINVAL });
}

TEST_F(messages, region_accesses)
{
	start_greeted();
	EXPECT_EQ(client_->write32(0x10, 0x12345678), 0u);
	EXPECT_EQ(client_->read32(0x10), 0x12345678u);
	EXPECT_EQ(client_->read32(0, VFIO_USER_REGION_CONFIG), 0x0ac11234u);
	const message config =
		client_->call(VFIO_USER_REGION_READ,
			      pack(vfio_user_region_access{ 0, VFIO_USER_REGION_CONFIG, 4096 }));
	EXPECT_EQ(config.header.size, 16u + 16 + 4096);
}

TEST_F(messages, region_accesses_refused)
{
	start_greeted();
	const vfio_user_region_access bad[] = {
		{ 0, 1, 4 },	      { 0, 6, 4 },
		{ 0, 8, 4 },	      { 0, 9, 4 },
		{ 0, 0xffffffff, 4 }, /* no region */
		{ 0x10000, 0, 4 },    { 0xffff, 0, 4 },
		{ UINT64_MAX, 0, 4 }, { UINT64_MAX - 1, 7, 4 },
		{ 0, 0, 0 },	      { 0, 2, VFIO_USER_MAX_DATA_XFER_SIZE + 1 },
		{ 0, 2, 0xffffffff }, { 4093, 7, 4 },
		{ 0, 0, 2 },	      { 2, 0, 4 }, /* the last two: the card itself */
	};
	for (const auto &access : bad)
		EXPECT_EQ(client_->error_of(VFIO_USER_REGION_READ, pack(access)),
			  unsigned{ EINVAL })
			<< access.region << " " << access.offset << " " << access.count;
	EXPECT_EQ(client_->write32(0x10001, 1), unsigned{ EINVAL });
	EXPECT_EQ(client_->write32(0, 1, 5), unsigned{ EINVAL });
	/* count and data disagree */
	EXPECT_EQ(client_->error_of(VFIO_USER_REGION_WRITE,
				    pack(vfio_user_region_access{ 0, 0, 8 }, std::uint32_t{ 1 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_REGION_WRITE, pack(std::uint32_t{ 1 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_REGION_READ, {}), unsigned{ EINVAL });
	client_->read32(0);
}

TEST_F(messages, posted_writes_have_no_answer)
{
	start_greeted();
	for (std::uint32_t i = 0; i < 1000; i++)
		client_->send(VFIO_USER_REGION_WRITE, pack(vfio_user_region_access{ 4, 0, 4 }, i),
			      {}, VFIO_USER_FLAG_NO_REPLY);
	client_->send(VFIO_USER_REGION_WRITE, pack(vfio_user_region_access{ 5, 0, 4 }, 0), {},
		      VFIO_USER_FLAG_NO_REPLY);		/* not even an error */
	EXPECT_EQ(client_->read32(4), 999u);
}

TEST_F(messages, reset)
{
	start_greeted();
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_RESET, {}), 0u);
	EXPECT_EQ(hooks_.resets, 1u);
}

TEST_F(messages, byte_by_byte)
{
	start();
	const auto trickle = [&](unsigned cmd, const bytes &payload, std::uint16_t id) {
		const auto raw = encode(
			vfio_user_header{ id, static_cast<std::uint16_t>(cmd), 0, 0, 0 }, payload);
		for (const auto &byte : raw)
			client_->send_raw(std::span(&byte, 1));
		const message m = client_->receive();
		EXPECT_EQ(m.header.id, id);
		EXPECT_EQ(m.header.error, 0u);
	};
	trickle(VFIO_USER_VERSION, version_text("{}"), 1);
	trickle(VFIO_USER_REGION_WRITE, pack(vfio_user_region_access{ 8, 0, 4 }, 77u), 2);
	trickle(VFIO_USER_DEVICE_RESET, {}, 3);
	EXPECT_EQ(hooks_.resets, 1u);
}

TEST_F(messages, many_in_one_piece)
{
	start_greeted();
	bytes all;
	for (std::uint16_t i = 0; i < 200; i++) {
		const auto one = encode(vfio_user_header{ i, VFIO_USER_REGION_READ, 0, 0, 0 },
					pack(vfio_user_region_access{ 0, 0, 4 }));
		all.insert(all.end(), one.begin(), one.end());
	}
	client_->send_raw(all);
	for (std::uint16_t i = 0; i < 200; i++)
		EXPECT_EQ(client_->receive().header.id, i);
}

TEST_F(messages, interrupts_reach_connected_eventfds_only)
{
	start_greeted();
	const unique_fd a(eventfd(0, EFD_NONBLOCK));
	const unique_fd b(eventfd(0, EFD_NONBLOCK));
	const auto count = [](const unique_fd &fd) {
		eventfd_t value = 0;
		return eventfd_read(fd.get(), &value) ? 0 : value;
	};
	const int both[] = { a.get(), b.get() };
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 1), 0u);	/* QEMU detaches first */
	EXPECT_EQ(client_->set_irqs(0x21, 2, 0, 0), 0u);
	EXPECT_EQ(client_->set_irqs(0x24, 2, 5, 2, both), 0u);
	for (const std::uint32_t vector : { 5u, 5u, 6u, 7u, 63u, 64u, 4711u })
		EXPECT_EQ(client_->write32(FAKE_INTERRUPT, vector), 0u);
	EXPECT_EQ(count(a), 2u);
	EXPECT_EQ(count(b), 1u);

	EXPECT_EQ(client_->set_irqs(0x24, 2, 5, 1), 0u);	/* no descriptor: disconnected */
	client_->write32(FAKE_INTERRUPT, 5);
	client_->write32(FAKE_INTERRUPT, 6);
	EXPECT_EQ(count(a), 0u);
	EXPECT_EQ(count(b), 1u);
	EXPECT_EQ(client_->set_irqs(0x21, 2, 6, 1), 0u);	/* loopback */
	EXPECT_EQ(count(b), 1u);
	EXPECT_EQ(client_->set_irqs(0x21, 2, 0, 0), 0u);	/* all of them */
	client_->write32(FAKE_INTERRUPT, 6);
	EXPECT_EQ(count(b), 0u);
}

TEST_F(messages, all_vectors_in_chunks)
{
	start_greeted();
	const unique_fd event(eventfd(0, EFD_NONBLOCK));
	const std::vector<int> fds(16, event.get());
	for (std::uint32_t start = 0; start < 64; start += 16)
		EXPECT_EQ(client_->set_irqs(0x24, 2, start, 16, fds), 0u);
	for (std::uint32_t i = 0; i < 64; i++)
		client_->write32(FAKE_INTERRUPT, i);
	eventfd_t value = 0;
	EXPECT_EQ(eventfd_read(event.get(), &value), 0);
	EXPECT_EQ(value, 64u);
}

TEST_F(messages, a_card_with_one_vector)
{
	start(true, 1);
	client_->greet();
	const message m = client_->call(VFIO_USER_DEVICE_GET_IRQ_INFO,
					pack(vfio_user_irq_info{ 16, 0, 2, 0 }));
	EXPECT_EQ(part_of<vfio_user_irq_info>(m).count, 1u);
	const unique_fd event(eventfd(0, EFD_NONBLOCK));
	const int two[] = { event.get(), event.get() };
	const auto one = std::span(two).first(1);
	EXPECT_EQ(client_->set_irqs(0x24, 2, 1, 1, one), unsigned{ EINVAL });
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 2, two), unsigned{ EINVAL });
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 1, one), 0u);
	EXPECT_EQ(client_->write32(FAKE_INTERRUPT, 0), 0u);
	EXPECT_EQ(client_->write32(FAKE_INTERRUPT, 1), 0u);	/* there is no such vector: silent */
	eventfd_t count = 0;
	EXPECT_EQ(eventfd_read(event.get(), &count), 0);
	EXPECT_EQ(count, 1u);
}

TEST_F(messages, set_irqs_refuses)
{
	start_greeted();
	const unique_fd event(eventfd(0, EFD_NONBLOCK));
	int pipe_ends[2];
	ASSERT_EQ(pipe(pipe_ends), 0);
	const unique_fd reader(pipe_ends[0]);
	const unique_fd writer(pipe_ends[1]);
	const int one[] = { event.get() };
	const int no_event[] = { writer.get() };
	EXPECT_EQ(client_->set_irqs(0x24, 5, 0, 0), unsigned{ EINVAL }); /* index */
	EXPECT_EQ(client_->set_irqs(0x24, 2, 64, 1, one), unsigned{ EINVAL }); /* range */
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0xffffffff, 2), unsigned{ EINVAL });
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 65), unsigned{ EINVAL });
	EXPECT_EQ(client_->set_irqs(0x24, 0, 0, 1, one), unsigned{ EINVAL }); /* no INTx */
	EXPECT_EQ(client_->set_irqs(0x24, 3, 0, 1, one), unsigned{ EINVAL }); /* no ERR */
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 2, one), unsigned{ EINVAL }); /* one is missing */
	EXPECT_EQ(client_->set_irqs(0x21, 2, 0, 1, one), unsigned{ EINVAL }); /* not asked for */
	EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 1, no_event), unsigned{ EINVAL });
	EXPECT_EQ(client_->set_irqs(0x20, 2, 0, 1), unsigned{ EINVAL }); /* no data kind */
	EXPECT_EQ(client_->set_irqs(0x26, 2, 0, 1), unsigned{ EINVAL }); /* two */
	EXPECT_EQ(client_->set_irqs(0x09, 2, 0, 1), unsigned{ EINVAL }); /* mask */
	EXPECT_EQ(client_->set_irqs(0x22, 2, 0, 1), unsigned{ EINVAL }); /* no bools */
	EXPECT_EQ(client_->set_irqs(0x21, 0, 0, 0), 0u);		/* INTx is off */
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_SET_IRQS,
				    pack(vfio_user_irq_set{ 19, 0x21, 2, 0, 0 })),
		  unsigned{ EINVAL });
}

TEST_F(messages, descriptors_nobody_asked_for_are_closed)
{
	start_greeted();
	const unique_fd event(eventfd(0, EFD_NONBLOCK));
	const std::vector<int> many(VFIO_USER_MAX_FDS + 1, event.get());
	client_->read32(0);
	const long before = open_fds();
	const auto some = std::span(many).first(3);
	for (unsigned i = 0; i < 20; i++) {
		EXPECT_EQ(client_->error_of(VFIO_USER_REGION_READ,
					    pack(vfio_user_region_access{ 0, 0, 4 }), some),
			  unsigned{ EINVAL });
		EXPECT_EQ(client_->error_of(99, {}, some), unsigned{ EOPNOTSUPP });
		EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 17, many), unsigned{ EINVAL });
		EXPECT_EQ(client_->set_irqs(0x24, 2, 0, 2, some), unsigned{ EINVAL });
		EXPECT_EQ(client_->set_irqs(0x24, 9, 0, 3, some), unsigned{ EINVAL });
		EXPECT_EQ(client_->error_of(VFIO_USER_DMA_MAP,
					    pack(vfio_user_dma_map{ 32, 3, 0, 0, 4096 }), some),
			  unsigned{ EINVAL });
		EXPECT_EQ(client_->map(0, 4096, event.get()), unsigned{ ENODEV });
	}
	EXPECT_EQ(open_fds(), before);
}

} // namespace oac::vfio_user
