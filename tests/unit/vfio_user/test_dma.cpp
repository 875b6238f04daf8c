// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// DMA: the table of maps, and the card's accesses through it, by messages, and while the client
// wants something else.
#include "client.hpp"

#include "../../support/asleep.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace oac::vfio_user
{

using way = stretch::way;

static unique_fd memory_file(std::uint64_t size)
{
	unique_fd fd(memfd_create("test", MFD_CLOEXEC));
	if (ftruncate(fd.get(), static_cast<off_t>(size)))
		std::abort();
	return fd;
}

static unique_fd copy_of(const unique_fd &fd)
{
	return unique_fd(dup(fd.get()));
}

static vfio_user_dma_map range(std::uint64_t address, std::uint64_t size, std::uint64_t offset = 0,
			       std::uint32_t flags = VFIO_USER_DMA_MAP_FLAGS)
{
	return { sizeof(vfio_user_dma_map), flags, offset, address, size };
}

TEST(dma_table, a_file_is_mapped_once)
{
	dma_table table;
	const unique_fd file = memory_file(64 * 4096);
	for (std::uint64_t i = 0; i < 64; i++)
		ASSERT_EQ(table.map(range(i * 0x10000, 4096, i * 4096), copy_of(file)), 0);
	EXPECT_EQ(table.files(), 1u);
	const auto *base = table.look(0, 1, true).memory.data();
	EXPECT_EQ(table.look(0x30010, 1, true).memory.data(), base + 3 * 4096 + 0x10);
	table.unmap(0, UINT64_MAX);
	EXPECT_EQ(table.ranges(), 0u);
	EXPECT_EQ(table.files(), 0u);
}

TEST(dma_table, seamless_ranges_are_one_stretch)
{
	dma_table table;
	const unique_fd file = memory_file(16 * 4096);
	for (std::uint64_t i = 0; i < 8; i++)
		ASSERT_EQ(table.map(range(0x1000 * i, 4096, 4096 * i), copy_of(file)), 0);
	ASSERT_EQ(table.map(range(0x8000, 4096, 9 * 4096), copy_of(file)),
		  0); /* a gap in the file */
	EXPECT_EQ(table.look(0x800, 1 << 20, true).length, 0x7800u);
	EXPECT_EQ(table.look(0x800, 0x100, true).length, 0x100u);
	EXPECT_EQ(table.look(0x8000, 1 << 20, true).length, 0x1000u);
}

TEST(dma_table, rights)
{
	dma_table table;
	const unique_fd file = memory_file(8192);
	ASSERT_EQ(table.map(range(0, 4096, 0, VFIO_USER_DMA_MAP_READ), copy_of(file)), 0);
	ASSERT_EQ(table.map(range(4096, 4096, 4096), copy_of(file)), 0);
	EXPECT_EQ(table.look(0, 8192, false).length, 8192u);
	EXPECT_EQ(table.look(0, 8192, true).by, way::refused);
	EXPECT_EQ(table.look(0, 8192, true).length, 4096u);
	EXPECT_EQ(table.look(4096, 8192, true).by, way::direct);
	const unique_fd read_only(
		open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY));
	EXPECT_EQ(table.map(range(1 << 20, 4096), copy_of(read_only)), -EACCES);
	EXPECT_EQ(table.map(range(1 << 20, 4096, 0, VFIO_USER_DMA_MAP_READ), copy_of(read_only)),
		  0);
	EXPECT_EQ(table.look(1 << 20, 1, false).by, way::direct);
}

TEST(dma_table, without_a_descriptor_by_message)
{
	dma_table table;
	ASSERT_EQ(table.map(range(0x1000, 0x1000), {}), 0);
	ASSERT_EQ(table.map(range(0x4000, 0x1000, 0, 0), {}), 0);
	EXPECT_EQ(table.look(0x1800, 0x10000, true).by, way::message);
	EXPECT_EQ(table.look(0x1800, 0x10000, true).length, 0x800u);
	EXPECT_EQ(table.look(0x2000, 0x10000, true).by, way::message);	/* it knows better */
	EXPECT_EQ(table.look(0x2000, 0x10000, true).length, 0x2000u);
	EXPECT_EQ(table.look(0x4000, 1, false).by, way::refused);
	EXPECT_EQ(table.look(UINT64_MAX, 1, false).length, 1u);
}

TEST(dma_table, unmaps_cut)
{
	dma_table table;
	const unique_fd file = memory_file(0x10000);
	ASSERT_EQ(table.map(range(0x10000, 0x10000), copy_of(file)), 0);
	const auto *base = table.look(0x10000, 1, true).memory.data();
	table.unmap(0x14000, 0x17fff);
	EXPECT_EQ(table.ranges(), 2u);
	EXPECT_EQ(table.look(0x10000, 0x10000, true).length, 0x4000u);
	EXPECT_EQ(table.look(0x14000, 0x10000, true).by, way::message);
	EXPECT_EQ(table.look(0x18000, 0x10000, true).memory.data(), base + 0x8000);
	table.unmap(0x12000, 0x1bfff);
	EXPECT_EQ(table.look(0x11000, 0x10000, true).length, 0x1000u);
	EXPECT_EQ(table.look(0x1c000, 0x10000, true).memory.data(), base + 0xc000);
	table.unmap(0, 0xfff);		/* nothing there */
	EXPECT_EQ(table.ranges(), 2u);
}

TEST(dma_table, a_new_map_takes_the_place_of_what_it_overlaps)
{
	dma_table table;
	const unique_fd a = memory_file(0x4000);
	const unique_fd b = memory_file(0x1000);
	ASSERT_EQ(table.map(range(0, 0x4000), copy_of(a)), 0);
	ASSERT_EQ(table.map(range(0x1000, 0x1000), copy_of(b)), 0);
	EXPECT_EQ(table.ranges(), 3u);
	EXPECT_EQ(table.files(), 2u);
	EXPECT_EQ(table.look(0, 0x4000, true).length, 0x1000u);
}

TEST(dma_table, bad_maps)
{
	dma_table table;
	const unique_fd file = memory_file(0x2000);
	EXPECT_EQ(table.map(range(0, 0), {}), -EINVAL);
	EXPECT_EQ(table.map(range(0x2000, UINT64_MAX), {}), -EINVAL);
	EXPECT_EQ(table.map(range(UINT64_MAX - 0xfff, 0x1000), {}), 0);
	EXPECT_EQ(table.map(range(0, 0x3000), copy_of(file)), -EINVAL);
	EXPECT_EQ(table.map(range(0, 0x1000, 0x2000), copy_of(file)), -EINVAL);
	EXPECT_EQ(table.map(range(0, 0x1000, UINT64_MAX), copy_of(file)), -EINVAL);
	EXPECT_EQ(table.ranges(), 1u);
}

TEST(dma_table, a_file_that_has_grown)
{
	dma_table table;
	const unique_fd file = memory_file(0x1000);
	ASSERT_EQ(table.map(range(0, 0x1000), copy_of(file)), 0);
	ASSERT_EQ(ftruncate(file.get(), 0x3000), 0);
	ASSERT_EQ(table.map(range(0x1000, 0x2000, 0x1000), copy_of(file)), 0);
	EXPECT_EQ(table.look(0x1000, 0x2000, true).memory.size(), 0x2000u);
	table.look(0x1000, 0x2000, true).memory[0x1fff] = std::byte{ 7 };
	EXPECT_EQ(table.look(0, 0x1000, true).memory.size(), 0x1000u);
}

class dma : public server_test
{
protected:
	/* What the card does with 16 bytes at address when told to go. */
	void card_reads(std::uint64_t address, std::size_t size = 16)
	{
		hooks_.on_step = [this, address, size](emu::card_port &port) {
			read_.assign(size, std::byte{ 0 });
			return port.dma_read(address, read_);
		};
	}

	void card_writes(std::uint64_t address, std::size_t size)
	{
		hooks_.on_step = [address, size](emu::card_port &port) {
			return port.dma_write(address, bytes(size, std::byte{ 0x5a }));
		};
	}

	/* The server's next request. */
	message request(unsigned cmd, std::uint64_t address, std::uint64_t count)
	{
		message m = client_->receive();
		EXPECT_FALSE(m.is_reply());
		EXPECT_EQ(m.header.cmd, cmd);
		const auto access = part_of<vfio_user_dma_access>(m);
		EXPECT_EQ(access.address, address);
		EXPECT_EQ(access.count, count);
		return m;
	}

	void respond(const message &m, std::byte fill = std::byte{ 0 }, std::uint32_t error = 0)
	{
		vfio_user_header header{ m.header.id, m.header.cmd, 0, VFIO_USER_TYPE_REPLY,
					 error };
		if (error) {
			header.flags |= VFIO_USER_FLAG_ERROR;
			client_->send_raw(encode(header, {}));
			return;
		}
		const auto access = part_of<vfio_user_dma_access>(m);
		const bytes data(m.header.cmd == VFIO_USER_DMA_READ ? access.count : 0, fill);
		client_->send_raw(encode(header, std::as_bytes(std::span(&access, 1)), data));
	}

	bytes read_;
};

TEST_F(dma, through_a_mapping)
{
	start_greeted();
	const unique_fd file = memory_file(0x2000);
	ASSERT_EQ(client_->map(0x100000, 0x1000, file.get(), 0x1000), 0u);
	card_writes(0x100ff0, 16);
	client_->go();
	EXPECT_TRUE(client_->wait_result());
	std::array<std::byte, 16> seen{};
	ASSERT_EQ(pread(file.get(), seen.data(), 16, 0x1ff0), 16);
	EXPECT_EQ(seen[15], std::byte{ 0x5a });
	card_reads(0x100ff0);
	client_->go();
	EXPECT_TRUE(client_->wait_result());
	EXPECT_EQ(read_[0], std::byte{ 0x5a });
}

TEST_F(dma, map_and_unmap_refuse_nonsense)
{
	start_greeted();
	const unique_fd file = memory_file(0x1000);
	const auto try_map = [&](const vfio_user_dma_map &m) {
		return client_->error_of(VFIO_USER_DMA_MAP, pack(m));
	};
	EXPECT_EQ(try_map({ 31, 3, 0, 0, 0x1000 }), unsigned{ EINVAL });
	EXPECT_EQ(try_map({ 32, 0x10, 0, 0, 0x1000 }), unsigned{ EINVAL });
	EXPECT_EQ(try_map({ 32, 3, 0, 0, 0 }), unsigned{ EINVAL });
	EXPECT_EQ(try_map({ 32, 3, 0, 0x1000, UINT64_MAX }), unsigned{ EINVAL });
	EXPECT_EQ(client_->map(0, 0x2000, file.get()), unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DMA_MAP, pack(std::uint64_t{ 32 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DMA_UNMAP, pack(vfio_user_dma_unmap{ 23, 0, 0, 1 })),
		  unsigned{ EINVAL });
	EXPECT_EQ(client_->unmap(0, 0), unsigned{ EINVAL });
	EXPECT_EQ(client_->unmap(0, 0x1000, 1), unsigned{ EINVAL });
	EXPECT_EQ(client_->unmap(0, 0x1000, VFIO_USER_DMA_UNMAP_ALL), unsigned{ EINVAL });
	EXPECT_EQ(client_->error_of(VFIO_USER_DMA_UNMAP, {}), unsigned{ EINVAL });
}

TEST_F(dma, what_qemu_maps_and_unmaps_is_fine)
{
	start_greeted();
	const unique_fd file = memory_file(0x100000);
	EXPECT_EQ(client_->map(0, 0xa0000, file.get()), 0u);
	EXPECT_EQ(client_->map(0xc0000, 0x10000, file.get(), 0xc0000, VFIO_USER_DMA_MAP_READ), 0u);
	EXPECT_EQ(client_->map(0xfffc0000, 0x40000, -1, 0, VFIO_USER_DMA_MAP_READ), 0u);
	EXPECT_EQ(client_->map(0, 0x1000, file.get()), 0u);	/* overlaps */
	EXPECT_EQ(client_->unmap(0, 0xffffffff01100000), 0u);
	EXPECT_EQ(client_->unmap(0xfee00000, UINT64_MAX - 0xfee00000), 0u);
	EXPECT_EQ(client_->unmap(0xfee00000, UINT64_MAX), 0u);
	const message m =
		client_->call(VFIO_USER_DMA_UNMAP,
			      pack(vfio_user_dma_unmap{ 24, VFIO_USER_DMA_UNMAP_ALL, 0, 0 }));
	EXPECT_EQ(m.header.size, 40u);
	EXPECT_EQ(part_of<vfio_user_dma_unmap>(m).argsz, 24u);
}

TEST_F(dma, maps_leak_neither_descriptors_nor_memory)
{
	start_greeted();
	const auto count = [](const char *path) {
		const std::filesystem::directory_iterator all(path);
		return std::distance(begin(all), end(all));
	};
	const auto maps = [] {
		std::ifstream file("/proc/self/maps");
		std::string line;
		unsigned lines = 0;
		while (std::getline(file, line))
			lines += line.find("memfd:test") != std::string::npos;
		return lines;
	};
	const unique_fd file = memory_file(0x100000);
	const auto before = count("/proc/self/fd");
	for (std::uint64_t i = 0; i < 256; i++)
		ASSERT_EQ(client_->map(i << 20, 0x1000, file.get(), i << 12), 0u);
	EXPECT_EQ(count("/proc/self/fd"), before);
	EXPECT_EQ(maps(), 1u);
	EXPECT_EQ(client_->unmap(0, 0, VFIO_USER_DMA_UNMAP_ALL), 0u);
	EXPECT_EQ(maps(), 0u);
}

TEST_F(dma, by_messages)
{
	start_greeted();
	card_reads(0xabc000);
	client_->go();
	respond(request(VFIO_USER_DMA_READ, 0xabc000, 16), std::byte{ 0x77 });
	EXPECT_TRUE(client_->wait_result());
	EXPECT_EQ(read_[15], std::byte{ 0x77 });

	card_writes(0xdef000, 24);
	client_->go();
	const message m = request(VFIO_USER_DMA_WRITE, 0xdef000, 24);
	EXPECT_EQ(m.payload.size(), 16u + 24);
	EXPECT_EQ(m.payload.back(), std::byte{ 0x5a });
	respond(m);
	EXPECT_TRUE(client_->wait_result());
}

TEST_F(dma, by_messages_in_the_clients_size)
{
	start();
	EXPECT_EQ(
		client_->error_of(VFIO_USER_VERSION,
				  version_text("{\"capabilities\":{\"max_data_xfer_size\":4096}}")),
		0u);
	card_writes(0x1000, 6000);
	client_->go();
	respond(request(VFIO_USER_DMA_WRITE, 0x1000, 4096));
	respond(request(VFIO_USER_DMA_WRITE, 0x2000, 6000 - 4096));
	EXPECT_TRUE(client_->wait_result());
}

TEST_F(dma, partly_mapped)
{
	start_greeted();
	const unique_fd file = memory_file(0x1000);
	ASSERT_EQ(client_->map(0x2000, 0x1000, file.get()), 0u);
	card_reads(0x1ff0, 0x1020);
	client_->go();
	respond(request(VFIO_USER_DMA_READ, 0x1ff0, 16), std::byte{ 1 });
	respond(request(VFIO_USER_DMA_READ, 0x3000, 16), std::byte{ 2 });
	EXPECT_TRUE(client_->wait_result());
	EXPECT_EQ(read_.front(), std::byte{ 1 });
	EXPECT_EQ(read_[16], std::byte{ 0 });
	EXPECT_EQ(read_.back(), std::byte{ 2 });
}

TEST_F(dma, refused_by_the_client)
{
	start_greeted();
	card_reads(0x1000);
	client_->go();
	respond(request(VFIO_USER_DMA_READ, 0x1000, 16), {}, ENODEV);
	EXPECT_FALSE(client_->wait_result());
	client_->go();
	message m = request(VFIO_USER_DMA_READ, 0x1000, 16);
	vfio_user_header brief{ m.header.id, m.header.cmd, 0, VFIO_USER_TYPE_REPLY, 0 };
	client_->send_raw(encode(brief, pack(vfio_user_dma_access{ 0x1000, 16 }))); /* no data */
	EXPECT_FALSE(client_->wait_result());
}

TEST_F(dma, refused_by_rights_without_a_message)
{
	start_greeted();
	ASSERT_EQ(client_->map(0x1000, 0x1000, -1, 0, VFIO_USER_DMA_MAP_READ), 0u);
	card_writes(0x1000, 16);
	client_->go();
	EXPECT_FALSE(client_->wait_result());
	card_reads(UINT64_MAX, 2);
	client_->go();
	EXPECT_FALSE(client_->wait_result());
}

TEST_F(dma, no_messages_for_a_client_that_answers_none)
{
	start();
	EXPECT_EQ(client_->error_of(VFIO_USER_VERSION, version_text(VFIO_USER_CLIENT_CAPABILITIES)),
		  0u);
	card_reads(0x1000);
	client_->go();
	EXPECT_FALSE(client_->wait_result());
}

TEST_F(dma, requests_are_served_while_the_card_waits)
{
	start_greeted();
	ASSERT_EQ(client_->write32(0x40, 1), 0u);
	const unique_fd file = memory_file(0x1000);
	card_reads(0x1000);
	client_->go();
	const message m = request(VFIO_USER_DMA_READ, 0x1000, 16);
	EXPECT_EQ(client_->read32(0x40), 1u);
	EXPECT_EQ(client_->write32(0x40, 2), 0u);	/* acknowledged, done later */
	EXPECT_EQ(client_->write32(0x44, 3), 0u);
	EXPECT_EQ(client_->map(0x100000, 0x1000, file.get()), 0u);
	EXPECT_EQ(client_->unmap(0x200000, 0x1000), 0u);
	EXPECT_EQ(client_->error_of(99, {}), unsigned{ EOPNOTSUPP });
	respond(m);
	EXPECT_TRUE(client_->wait_result());
	EXPECT_EQ(client_->read32(0x40), 2u);
	EXPECT_EQ(client_->read32(0x44), 3u);
}

TEST_F(dma, a_reset_does_not_wait_for_the_client)
{
	start_greeted();
	card_reads(0x1000);
	client_->go();
	const message m = request(VFIO_USER_DMA_READ, 0x1000, 16);
	EXPECT_EQ(client_->error_of(VFIO_USER_DEVICE_RESET, {}), 0u);
	EXPECT_EQ(hooks_.resets, 1u);
	respond(m);		/* late: of no interest */
	EXPECT_FALSE(client_->wait_result());
}

TEST_F(dma, unmapping_what_is_in_use_waits_for_the_card)
{
	start_greeted();
	const unique_fd file = memory_file(0x1000);
	ASSERT_EQ(client_->map(0x8000, 0x1000, file.get()), 0u);
	std::atomic<bool> is_done = false;
	hooks_.on_step = [&, client = gettid()](emu::card_port &port) {
		const auto window = port.dma_window(0x8000, 0x1000, emu::access::write);
		bytes unused(16);
		const bool was_read = port.dma_read(0x1000, unused);
		/* An answer by now would go by without its sleeping. */
		EXPECT_TRUE(support::wait_until_asleep(client));
		window[0] = std::byte{ 0x42 }; /* must not fault */
		is_done = true;
		return was_read;
	};
	client_->go();
	const message m = request(VFIO_USER_DMA_READ, 0x1000, 16);
	EXPECT_EQ(client_->unmap(0x8000, 0x1000), 0u);
	EXPECT_TRUE(is_done);
	respond(m);
	EXPECT_FALSE(client_->wait_result());
	std::byte first{};
	ASSERT_EQ(pread(file.get(), &first, 1, 0), 1);
	EXPECT_EQ(first, std::byte{ 0x42 });
	card_reads(0x8000);
	client_->go();
	respond(request(VFIO_USER_DMA_READ, 0x8000, 16));	/* it is not mapped any more */
	EXPECT_TRUE(client_->wait_result());
}

/* Kept from an earlier step it does not hold up the client: the epoch tells the card in time. */
TEST_F(dma, unmapping_behind_a_kept_window_tells_the_card_at_once)
{
	start_greeted();
	const unique_fd file = memory_file(0x1000), other = memory_file(0x1000);
	std::uint64_t epoch = 0;
	std::span<std::byte> window;
	const auto keep = [&](emu::card_port &port) {
		window = port.dma_window(0x8000, 0x1000, emu::access::write);
		epoch = port.window_epoch;
		return !window.empty();
	};
	const auto wait_and_look = [&](emu::card_port &port) {
		bytes unused(16);
		if (epoch != port.window_epoch || !port.dma_read(0x1000, unused))
			return false;
		return epoch != port.window_epoch;	/* else it would be used, and is gone */
	};
	ASSERT_EQ(client_->map(0x8000, 0x1000, file.get()), 0u);
	for (const bool is_replaced : { false, true }) {
		hooks_.on_step = keep;
		client_->go();
		ASSERT_TRUE(client_->wait_result());
		hooks_.on_step = wait_and_look;
		client_->go();
		const message m = request(VFIO_USER_DMA_READ, 0x1000, 16);
		if (is_replaced) {
			EXPECT_EQ(client_->map(0x8000, 0x1000, other.get()), 0u);
		} else {
			EXPECT_EQ(client_->unmap(0x8000, 0x1000), 0u);
		}
		respond(m);
		EXPECT_TRUE(client_->wait_result()) << "the card still believes in its window";
		hooks_.on_step = keep;
		client_->go();
		EXPECT_EQ(client_->wait_result(), is_replaced);
		if (!is_replaced) {
			ASSERT_EQ(client_->map(0x8000, 0x1000, file.get()), 0u);
		}
	}
	window[0] = std::byte{ 0x42 };
	std::byte first{};
	ASSERT_EQ(pread(other.get(), &first, 1, 0), 1);
	EXPECT_EQ(first, std::byte{ 0x42 }) << "the new window is on the new memory";
}

TEST_F(dma, the_client_leaves_while_the_card_waits)
{
	start_greeted();
	std::atomic<int> result = -1;
	hooks_.on_step = [&](emu::card_port &port) {
		bytes unused(16);
		result = port.dma_read(0x1000, unused);
		result.notify_one();
		return false;
	};
	client_->go();
	request(VFIO_USER_DMA_READ, 0x1000, 16);
	client_.reset();
	result.wait(-1);
	EXPECT_EQ(result, 0);
}

TEST_F(dma, the_server_stops_while_the_card_waits)
{
	start_greeted();
	card_reads(0x1000);
	client_->go();
	request(VFIO_USER_DMA_READ, 0x1000, 16);
}

} // namespace oac::vfio_user
