// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// libaccel-emu: the real card on its thread, reached over the socket it hands out.
#include <gtest/gtest.h>

#include <accel/accel_emu.h>
#include <hw/oac_regs.h>
#include <vfio_user/vfio_user.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
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

	template <typename Fixed>
	std::vector<char> call(unsigned cmd, const Fixed &fixed)
	{
		vfio_user_header header{ 1, static_cast<std::uint16_t>(cmd),
					 static_cast<std::uint32_t>(sizeof(header) + sizeof(fixed)),
					 0, 0 };
		std::vector<char> out(header.size);
		std::memcpy(out.data(), &header, sizeof(header));
		std::memcpy(out.data() + sizeof(header), &fixed, sizeof(fixed));
		EXPECT_EQ(send(fd_, out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
		EXPECT_EQ(recv(fd_, &header, sizeof(header), MSG_WAITALL), 16);
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

TEST(inproc, no_card_to_stop)
{
	accel_emu_card_stop(nullptr);
}

} // namespace
