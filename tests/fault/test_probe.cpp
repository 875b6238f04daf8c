// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The driver's way to a card, and the module's into the kernel. Nobody else may use the cards.
#include "fail_nth.hpp"

#include "../abi/uevents.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

using namespace oac;
using fault::client;

namespace
{

constexpr const char *driver = "/sys/bus/pci/drivers/oac/";

bool exists(const std::string &path)
{
	return access(path.c_str(), F_OK) == 0;
}

/* Probes end behind the call that begins them, and are told by a uevent. */
bool is_there_soon(const std::string &path)
{
	return oac::abi::uevent_reader().wait_until([&] { return exists(path); });
}

} // namespace

class fail_nth_probe : public fault::fail_nth
{
protected:
	void SetUp() override
	{
		fail_nth::SetUp();
		if (HasFatalFailure())
			return;
		address_ = fault::pci_address(client(path()).dev());
		/* Who reads the image's file complains of missing memory, in the log. */
		fault::spare("kernel_read_file");
		bind_.emplace(::open((std::string(driver) + "bind").c_str(), O_WRONLY | O_CLOEXEC));
		ASSERT_GE(bind_->fd(), 0);
	}

	/* The node is the same one again: the minor was freed. */
	void TearDown() override
	{
		fault::spare("");
		if (!address_.empty() && !is_bound()) {
			EXPECT_EQ(bind(), 0);
		}
		EXPECT_TRUE(is_there_soon(path()));
		fail_nth::TearDown();
	}

	bool is_bound() const { return exists(driver + address_); }

	int bind() const
	{
		return pwrite(bind_->fd(), address_.data(), address_.size(), 0) < 0 ? errno : 0;
	}

	void unbind() const
	{
		std::ofstream file(std::string(driver) + "unbind");

		file << address_ << std::flush;
		EXPECT_TRUE(file.good());
	}

private:
	std::string address_;
	std::optional<oac::abi::node> bind_;
};

/* A card is either bound, perhaps without firmware or sensors, or it is as if nothing had been. */
TEST_F(fail_nth_probe, bind)
{
	for (unsigned nth = 1; nth < most_places; nth++) {
		unbind();
		ASSERT_FALSE(is_bound());
		ASSERT_FALSE(exists(path()));
		const auto outcome = inject().run(nth, [this] { return bind(); });
		if (!outcome.injected) {
			EXPECT_EQ(outcome.err, 0);
			std::printf("note: %u places\n", nth - 1);
			std::fflush(stdout);
			return;
		}
		ASSERT_TRUE(outcome.err == 0 || is_sane_of_probe(outcome.err))
			<< "place " << nth << ": " << std::strerror(outcome.err);
		ASSERT_EQ(is_bound(), outcome.err == 0) << "place " << nth;
		if (!is_bound()) {
			ASSERT_EQ(bind(), 0) << "after place " << nth;
		}
	}
	FAIL() << "no end of places";
}

class fail_nth_module : public fault::fail_nth
{
protected:
	static std::vector<char> image()
	{
		utsname name = {};

		uname(&name);
		std::ifstream file(std::string("/lib/modules/") + name.release + "/updates/oac.ko",
				   std::ios::binary);
		return { std::istreambuf_iterator<char>(file), {} };
	}

	/* Without memory for the module's folder of drivers the driver core says EINVAL. */
	static bool is_sane_of_load(int err) { return is_sane(err) || err == EINVAL; }

	static bool is_loaded() { return exists("/sys/module/oac"); }

	static int load(const std::vector<char> &image)
	{
		return syscall(SYS_init_module, image.data(), image.size(), "") ? errno : 0;
	}

	static int unload() { return syscall(SYS_delete_module, "oac", O_NONBLOCK) ? errno : 0; }

	void SetUp() override
	{
		fail_nth::SetUp();
		/* Loses count of an event's files. */
		fault::spare("trace_module_notify");
	}

	void TearDown() override
	{
		fault::spare("");
		if (!is_loaded()) {
			EXPECT_EQ(load(image()), 0);
		}
		EXPECT_TRUE(is_there_soon(path()));
		fail_nth::TearDown();
	}
};

/* Cards are probed behind the load, by others: their allocations do not fail here. */
TEST_F(fail_nth_module, load)
{
	const std::vector<char> module = image();

	ASSERT_FALSE(module.empty());
	for (unsigned nth = 1; nth < most_places; nth++) {
		ASSERT_EQ(unload(), 0);
		ASSERT_FALSE(is_loaded());
		const auto outcome = inject().run(nth, [&module] { return load(module); });
		if (!outcome.injected) {
			EXPECT_EQ(outcome.err, 0);
			std::printf("note: %u places\n", nth - 1);
			std::fflush(stdout);
			return;
		}
		ASSERT_TRUE(outcome.err == 0 || is_sane_of_load(outcome.err))
			<< "place " << nth << ": " << std::strerror(outcome.err);
		ASSERT_EQ(is_loaded(), outcome.err == 0) << "place " << nth;
		if (!is_loaded()) {
			ASSERT_EQ(load(module), 0) << "after place " << nth;
		}
		/* Half of the loads end before the cards are there, half after. */
		if (nth % 2) {
			ASSERT_TRUE(is_there_soon(path()));
		}
	}
	FAIL() << "no end of places";
}
