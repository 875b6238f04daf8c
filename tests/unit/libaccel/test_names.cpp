// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Names of cards, and the environment variables that list them.
#include "names.hpp"

#include <cstdlib>
#include <filesystem>

#include <sys/socket.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include <accel/accel.h>

#include "unique_fd.hpp"

using accel::card_name;
using accel::parse_emulated;
using accel::parse_name;
using form = accel::card_name::form;

namespace
{

TEST(names, forms)
{
	EXPECT_EQ(parse_name("0").kind, form::index);
	EXPECT_EQ(parse_name("17").number, 17u);
	EXPECT_EQ(parse_name("emu:3").kind, form::emulated);
	EXPECT_EQ(parse_name("emu:3").number, 3u);
	EXPECT_EQ(parse_name("socket:/run/card 0.sock").kind, form::socket);
	EXPECT_EQ(parse_name("socket:/run/card 0.sock").text, "/run/card 0.sock");
	EXPECT_EQ(parse_name("/dev/accel/accel0").kind, form::path);
	EXPECT_EQ(parse_name("/dev/dri/renderD128").text, "/dev/dri/renderD128");
	EXPECT_EQ(parse_name("0000:03:00.0").kind, form::pci_address);
	EXPECT_EQ(parse_name("0000:0A:00.1").text, "0000:0a:00.1");
	EXPECT_EQ(parse_name("0a:00.1").text, "0000:0a:00.1");
	EXPECT_EQ(parse_name("0x0ac1000000000001").kind, form::serial);
	EXPECT_EQ(parse_name("0x0AC1000000000001").number, 0x0ac1000000000001u);
}

TEST(names, nonsense)
{
	for (const char *name : { "",
				  " 0",
				  "0 ",
				  "-1",
				  "+1",
				  "emu",
				  "emu:",
				  "emu:x",
				  "emu:-1",
				  "emu:1x",
				  "socket:",
				  "0x",
				  "0xg",
				  "0x00000000000000001",
				  "accel0",
				  "03:00",
				  "0000:03:00.g",
				  "0000-03:00.0",
				  "18446744073709551616",
				  "card" })
		EXPECT_EQ(parse_name(name).kind, form::unknown) << "'" << name << "'";
}

TEST(names, emulated_count)
{
	EXPECT_EQ(parse_emulated(nullptr), std::nullopt);
	EXPECT_EQ(parse_emulated("1"), 1u);
	EXPECT_EQ(parse_emulated("64"), 64u);
	for (const char *value :
	     { "", "0", "65", "-1", "1.0", "six", "6 ", "0x6", "99999999999999999999" }) {
		try {
			parse_emulated(value);
			ADD_FAILURE() << "'" << value << "' was taken";
		} catch (const std::system_error &error) {
			EXPECT_EQ(error.code().value(), EINVAL);
			EXPECT_NE(std::string(error.what()).find("ACCEL_EMU="), std::string::npos);
		}
	}
}

/* Sets a variable for the length of a test. */
class environment
{
public:
	environment(const char *name, const char *value) : name_(name) { setenv(name, value, 1); }
	~environment() { unsetenv(name_); }

private:
	const char *name_;
};

TEST(names, list_of_emulated_cards)
{
	const environment emulated("ACCEL_EMU", "12");
	const auto cards = accel::list_cards();
	ASSERT_EQ(cards.size(), 12u);
	EXPECT_EQ(cards[0].name, "emu:0");
	EXPECT_EQ(cards[11].name, "emu:11");
}

TEST(names, malformed_environment_fails_the_list)
{
	const environment emulated("ACCEL_EMU", "many");
	accel_device_list *list = nullptr;
	EXPECT_EQ(accel_device_list_create(&list), -EINVAL);
	EXPECT_EQ(list, nullptr);
	EXPECT_NE(std::string(accel_error_text()).find("ACCEL_EMU='many'"), std::string::npos);
}

accel::unique_fd listen_at(const std::string &path)
{
	accel::unique_fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	sockaddr_un address{};
	address.sun_family = AF_UNIX;
	path.copy(address.sun_path, sizeof(address.sun_path) - 1);
	EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
	EXPECT_EQ(listen(fd.get(), 4), 0);
	return fd;
}

TEST(names, sockets_are_sorted_as_people_count)
{
	char directory[] = "/tmp/accel-names-XXXXXX";
	ASSERT_TRUE(mkdtemp(directory));
	const std::string base(directory);
	std::vector<accel::unique_fd> listeners;
	for (const char *name : { "/card10.sock", "/card2.sock", "/card1.sock", "/other.sock" })
		listeners.push_back(listen_at(base + name));
	std::filesystem::create_directory(base + "/card3.sock");	/* not a socket */
	{
		const environment sockets("ACCEL_SOCKETS", directory);
		const auto cards = accel::list_cards();
		std::vector<std::string> names;
		for (const auto &card : cards) {
			if (card.name.starts_with("socket:"))
				names.push_back(card.name.substr(7 + base.size()));
		}
		EXPECT_EQ(names, (std::vector<std::string>{ "/card1.sock", "/card2.sock",
							    "/card10.sock" }));
	}
	std::filesystem::remove_all(base);
}

TEST(names, a_missing_directory_of_sockets_is_malformed)
{
	const environment sockets("ACCEL_SOCKETS", "/nonexistent/directory");
	accel_device_list *list = nullptr;
	EXPECT_EQ(accel_device_list_create(&list), -EINVAL);
}

TEST(names, open_says_what_is_wrong)
{
	const environment emulated("ACCEL_EMU", "2");
	accel_device *device = nullptr;
	EXPECT_EQ(accel_device_open("emu:2", &device), -ENODEV);
	EXPECT_NE(std::string(accel_error_text()).find("ACCEL_EMU=2 gives emu:0 to emu:1"),
		  std::string::npos);
	EXPECT_EQ(accel_device_open("9", &device), -ENODEV);
	EXPECT_EQ(accel_device_open("banana", &device), -ENODEV);
	EXPECT_NE(std::string(accel_error_text()).find("card 'banana'"), std::string::npos);
	EXPECT_EQ(accel_device_open("0000:ff:1f.7", &device), -ENODEV);
	EXPECT_EQ(accel_device_open("socket:/nonexistent/card0.sock", &device), -ENODEV);
	EXPECT_EQ(device, nullptr);
}

} // namespace
