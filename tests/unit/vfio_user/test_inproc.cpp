// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// libaccel-emu: the real card on its thread, reached over the socket it hands out.
#include <gtest/gtest.h>

#include <accel/accel_emu.h>
#include <hw/oac_admin.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>
#include <vfio_user/vfio_user.h>

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace
{

/* A card and the barest client. */
class card
{
public:
	explicit card(unsigned index) { error_ = accel_emu_card_start(index, &fd_, &card_); }
	~card()
	{
		if (error_)
			return;
		accel_emu_card_stop(card_);
		char byte;
		EXPECT_EQ(recv(fd_, &byte, 1, 0), 0);	/* it is gone */
		close(fd_);
	}
	card(const card &) = delete;
	card &operator=(const card &) = delete;

	int error() const { return error_; }

	accel_emu_card *get() const { return card_; }

	/* fd: goes along with the message, -1 = none; *got: what comes back with the reply. */
	template <typename Fixed>
	std::vector<char> call(unsigned cmd, const Fixed &fixed, int fd = -1, int *got = nullptr)
	{
		ask(cmd, fixed, fd);
		return answer(got);
	}

	template <typename Fixed>
	void ask(unsigned cmd, const Fixed &fixed, int fd = -1)
	{
		vfio_user_header header{ 1, static_cast<std::uint16_t>(cmd),
					 static_cast<std::uint32_t>(sizeof(header) + sizeof(fixed)),
					 0, 0 };
		std::vector<char> out(header.size);
		std::memcpy(out.data(), &header, sizeof(header));
		std::memcpy(out.data() + sizeof(header), &fixed, sizeof(fixed));
		iovec piece{ out.data(), out.size() };
		alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
		msghdr m{};
		m.msg_iov = &piece;
		m.msg_iovlen = 1;
		if (fd >= 0) {
			m.msg_control = room;
			m.msg_controllen = sizeof(room);
			auto *rights = reinterpret_cast<cmsghdr *>(room);
			rights->cmsg_len = CMSG_LEN(sizeof(fd));
			rights->cmsg_level = SOL_SOCKET;
			rights->cmsg_type = SCM_RIGHTS;
			std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
		}
		EXPECT_EQ(sendmsg(fd_, &m, 0), static_cast<ssize_t>(out.size()));
	}

	std::vector<char> answer(int *got = nullptr)
	{
		vfio_user_header header{};
		iovec piece{ &header, sizeof(header) };
		alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))];
		msghdr m{};
		m.msg_iov = &piece;
		m.msg_iovlen = 1;
		m.msg_control = room;
		m.msg_controllen = sizeof(room);
		EXPECT_EQ(recvmsg(fd_, &m, MSG_WAITALL | MSG_CMSG_CLOEXEC), 16);
		if (got && CMSG_FIRSTHDR(&m))
			std::memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*got));
		EXPECT_EQ(header.error, 0u);
		std::vector<char> in(header.size - sizeof(header));
		if (!in.empty()) {
			EXPECT_EQ(recv(fd_, in.data(), in.size(), MSG_WAITALL),
				  static_cast<ssize_t>(in.size()));
		}
		return in;
	}

	void greet()
	{
		struct {
			vfio_user_version version;
			char text[sizeof(VFIO_USER_CLIENT_CAPABILITIES)];
		} hello{ { 0, 0 }, VFIO_USER_CLIENT_CAPABILITIES };
		call(VFIO_USER_VERSION, hello);
	}

	std::uint32_t read32(std::uint64_t offset)
	{
		const auto in =
			call(VFIO_USER_REGION_READ, vfio_user_region_access{ offset, 0, 4 });
		std::uint32_t value = 0;
		EXPECT_EQ(in.size(), 20u);
		std::memcpy(&value, in.data() + 16, sizeof(value));
		return value;
	}

	void write32(std::uint64_t offset, std::uint32_t value)
	{
		struct [[gnu::packed]] {
			vfio_user_region_access access;
			std::uint32_t value;
		} out{ { offset, OAC_BAR_REGS, sizeof(value) }, value };
		call(VFIO_USER_REGION_WRITE, out);
	}

	bool has_answer() const
	{
		char byte;
		return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
	}

private:
	int error_ = -1;
	int fd_ = -1;
	accel_emu_card *card_ = nullptr;
};

TEST(inproc, six_cards_with_names_of_their_own)
{
	setenv("ACCEL_EMU_LMEM_MIB", "16", 1);
	std::vector<std::unique_ptr<card>> cards;
	for (unsigned i = 0; i < 6; i++)
		cards.push_back(std::make_unique<card>(i));
	for (unsigned i = 0; i < 6; i++) {
		ASSERT_EQ(cards[i]->error(), 0);
		cards[i]->greet();
		EXPECT_EQ(cards[i]->read32(OAC_REG_ID), OAC_ID_MAGIC);
		EXPECT_EQ(cards[i]->read32(OAC_REG_SERIAL_LO), i + 1);
		EXPECT_EQ(cards[i]->read32(OAC_REG_SERIAL_HI), 0x0ac10000u);
		EXPECT_EQ(cards[i]->read32(OAC_REG_LMEM_SIZE_LO), 16u << 20);
		EXPECT_TRUE(cards[i]->read32(OAC_REG_CAP) & OAC_CAP_DOORBELL_SHARED_MASK);
	}
}

TEST(inproc, a_wrong_memory_size_is_refused)
{
	for (const char *text :
	     { "0", "3", "-1", "16M", " 16", "131072", "99999999999999999999" }) {
		setenv("ACCEL_EMU_LMEM_MIB", text, 1);
		EXPECT_EQ(card(0).error(), -EINVAL) << text;
	}
	unsetenv("ACCEL_EMU_LMEM_MIB");
}

/* A booted card with an admin queue in memory that both sides see. */
class taken : public testing::Test
{
protected:
	static constexpr std::uint64_t DMA = 0x10000, SIZE = 0x10000, CQ = 0x8000;

	taken() : one_(0)
	{
		one_.greet();
		memory_ = shared_memory(SIZE);
		const int memory = memfd_;
		one_.call(VFIO_USER_DMA_MAP,
			  vfio_user_dma_map{ sizeof(vfio_user_dma_map),
					     VFIO_USER_DMA_MAP_READ | VFIO_USER_DMA_MAP_WRITE, 0,
					     DMA, SIZE },
			  memory);
		one_.write32(OAC_REG_BOOT_COMMAND, OAC_BOOT_FLASH);
		while ((one_.read32(OAC_REG_STATUS) & OAC_STATUS_STATE_MASK) != OAC_STATE_RUNNING)
			sched_yield();
		one_.write32(OAC_REG_ADMIN_SQ_LO, DMA);
		one_.write32(OAC_REG_ADMIN_SQ_HI, 0);
		one_.write32(OAC_REG_ADMIN_CQ_LO, DMA + CQ);
		one_.write32(OAC_REG_ADMIN_CQ_HI, 0);
		one_.write32(OAC_REG_ADMIN_DEPTH, 16);
		one_.write32(OAC_REG_ADMIN_CONTROL, OAC_ADMIN_CONTROL_ENABLE_MASK);
		int bar = -1;
		vfio_user_region_info ask{};
		ask.argsz = sizeof(ask);
		ask.index = OAC_BAR_DOORBELL;
		one_.call(VFIO_USER_DEVICE_GET_REGION_INFO, ask, -1, &bar);
		void *at =
			mmap(nullptr, OAC_DB_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, bar, 0);
		EXPECT_NE(at, MAP_FAILED);
		close(bar);
		doorbell_ = static_cast<char *>(at);
	}
	~taken() override
	{
		munmap(doorbell_, OAC_DB_PAGE_SIZE);
		munmap(memory_, SIZE);
		close(memfd_);
	}

	char *shared_memory(std::size_t size)
	{
		memfd_ = memfd_create("host", MFD_CLOEXEC);
		EXPECT_EQ(ftruncate(memfd_, static_cast<off_t>(size)), 0);
		return static_cast<char *>(
			mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_, 0));
	}

	void send_time_sync(std::uint32_t number)
	{
		oac_admin_cmd cmd{};
		cmd.opcode = OAC_ADMIN_TIME_SYNC;
		cmd.cid = static_cast<__le16>(number);
		std::memcpy(memory_ + (number - 1) * sizeof(cmd), &cmd, sizeof(cmd));
		std::atomic_ref(*reinterpret_cast<std::uint32_t *>(doorbell_ + OAC_DB_SQ_TAIL))
			.store(number, std::memory_order_seq_cst);
	}
	bool is_asleep() const
	{
		return std::atomic_ref(
			       *reinterpret_cast<std::uint32_t *>(doorbell_ + OAC_DB_ASLEEP))
			       .load() != 0;
	}
	bool is_done(std::uint32_t number) const
	{
		oac_completion entry;
		std::memcpy(&entry, memory_ + CQ + (number - 1) * sizeof(entry), sizeof(entry));
		return (entry.phase & OAC_PHASE_MASK) && entry.tag == number;
	}

	/* What there is to see without the card's help. */
	std::string state() const
	{
		const auto word = [&](unsigned offset) {
			return std::to_string(std::atomic_ref(*reinterpret_cast<std::uint32_t *>(
								      doorbell_ + offset))
						      .load());
		};
		oac_completion entries[4];
		std::memcpy(entries, memory_ + CQ, sizeof(entries));
		std::string text = "tail " + word(OAC_DB_SQ_TAIL) + ", asleep " +
				   word(OAC_DB_ASLEEP) + ", completions (tag, status, phase):";
		for (const oac_completion &entry : entries)
			text += " (" + std::to_string(entry.tag) + ", " +
				std::to_string(entry.status) + ", " + std::to_string(entry.phase) +
				")";
		return text;
	}

	card one_;
	char *memory_ = nullptr, *doorbell_ = nullptr;
	int memfd_ = -1;
};

TEST_F(taken, the_caller_is_the_cards_thread)
{
	EXPECT_EQ(accel_emu_card_find(0), one_.get());
	EXPECT_EQ(accel_emu_card_find(1), nullptr);
	ASSERT_EQ(accel_emu_card_take(one_.get()), 0);
	EXPECT_EQ(accel_emu_card_take(one_.get()), -EBUSY);
	while (accel_emu_card_step(one_.get()))
		;
	EXPECT_FALSE(is_asleep()) << "a store needs no message";
	for (std::uint32_t i = 1; i <= 3; i++) {
		send_time_sync(i);
		sched_yield();
		EXPECT_FALSE(is_done(i)) << "nobody but us does it";
		EXPECT_EQ(accel_emu_card_step(one_.get()), 1);
		ASSERT_TRUE(is_done(i)) << state();
		EXPECT_EQ(accel_emu_card_step(one_.get()), 0);
	}
	one_.ask(VFIO_USER_REGION_READ, vfio_user_region_access{ OAC_REG_ID, OAC_BAR_REGS, 4 });
	for (int i = 0; i < 1000; i++)
		accel_emu_card_step(one_.get());
	EXPECT_FALSE(one_.has_answer()) << "messages wait";
	accel_emu_card_give(one_.get());
	EXPECT_EQ(one_.answer().size(), 20u);
	/* its own thread again */
	one_.read32(OAC_REG_ID);
	send_time_sync(4);
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
	while (!is_done(4)) {
		ASSERT_LT(std::chrono::steady_clock::now(), end) << state();
		if (is_asleep())
			one_.read32(OAC_REG_ID);
		sched_yield();
	}
}

TEST_F(taken, taken_again_and_again_and_stopped_while_taken)
{
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(accel_emu_card_take(one_.get()), 0);
		accel_emu_card_step(one_.get());
		accel_emu_card_give(one_.get());
	}
	EXPECT_EQ(accel_emu_card_take(one_.get()), 0);
	/* the fixture stops it */
}

TEST(inproc, a_card_is_found_while_it_is_there)
{
	EXPECT_EQ(accel_emu_card_find(3), nullptr);
	{
		const card three(3);
		EXPECT_EQ(accel_emu_card_find(3), three.get());
	}
	EXPECT_EQ(accel_emu_card_find(3), nullptr);
}

TEST(inproc, no_card_to_stop)
{
	accel_emu_card_stop(nullptr);
}

} // namespace
