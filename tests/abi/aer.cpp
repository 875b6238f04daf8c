// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "aer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "objects.hpp"

namespace oac::abi
{

namespace
{

constexpr const char *injector = "/dev/aer_inject";

std::string device_path(const std::string &address)
{
	return "/sys/bus/pci/devices/" + address + '/';
}

/* What the kernel's drivers/pci/pcie/aer_inject.c takes. */
struct injection {
	std::uint8_t bus, dev, fn, pad;
	std::uint32_t uncorrectable, correctable, header[4], domain;
};
static_assert(sizeof(injection) == 32);

} // namespace

std::uint64_t aer_count(const std::string &address, const std::string &file,
			const std::string &error)
{
	std::ifstream lines(device_path(address) + file);
	std::string name;
	std::uint64_t count = 0;

	while (lines >> name >> count) {
		if (name == error)
			return count;
	}
	ADD_FAILURE() << address << '/' << file << " has no " << error;
	return 0;
}

std::string port_address(const std::string &of)
{
	return std::filesystem::canonical(device_path(pci_address(of))).parent_path().filename();
}

std::uint64_t port_count(const std::string &of, const std::string &severity)
{
	std::ifstream file(device_path(port_address(of)) + "aer_rootport_total_err_" + severity);
	std::uint64_t count = 0;

	EXPECT_TRUE(file >> count) << severity;
	return count;
}

unsigned card_resets(const std::string &of)
{
	const std::string state = control(of, R"({"request":"state"})");
	const auto at = state.find("\"resets\":");

	EXPECT_NE(at, state.npos) << state;
	return at == state.npos ?
		       0 :
		       static_cast<unsigned>(std::strtoul(state.c_str() + at + 9, nullptr, 10));
}

void aer::SetUp()
{
	if (!has_control())
		GTEST_SKIP() << "no way to the monitor (OAC_TEST_CTL)";
	recovery_test::SetUp();
	if (IsSkipped() || HasFatalFailure())
		return;
	generation_ = health().generation;
	events_.emplace(dev(), 0);
	uevents_.emplace();
}

void aer::TearDown()
{
	if (!IsSkipped() && has_control()) {
		control(path(), R"({"request":"clear"})");
		wait_for_reason(OAC_REASON_NONE);
	}
	recovery_test::TearDown();
}

void aer::enable_messages(const std::string &of) const
{
	const node config(
		::open((device_path(pci_address(of)) + "config").c_str(), O_RDWR | O_CLOEXEC));
	std::uint16_t command = 0;

	ASSERT_EQ(pread(config.fd(), &command, sizeof(command), PCI_COMMAND), 2);
	command |= PCI_COMMAND_SERR;
	ASSERT_EQ(pwrite(config.fd(), &command, sizeof(command), PCI_COMMAND), 2);
}

void aer::error_of_the_card(const std::string &of, const std::string &severity) const
{
	const std::string name = "acc" + std::to_string(card_number(of));

	enable_messages(of);
	inject(of, "aer", R"("severity":")" + severity + '"');
	monitor("pcie_aer_inject_error " + name +
		(severity == "fatal" ? " MALF_TLP" : " COMP_TIME"));
}

void aer::surprise_down(const std::string &of) const
{
	monitor("pcie_aer_inject_error port" + std::to_string(card_number(of)) + " SDN");
}

int aer::correctable_error(const std::string &of)
{
	const node file(::open(injector, O_WRONLY | O_CLOEXEC));
	unsigned domain = 0, bus = 0, device = 0, function = 0;
	injection one = {};

	EXPECT_GE(file.fd(), 0) << injector << ": is the module aer_inject loaded?";
	EXPECT_EQ(std::sscanf(pci_address(of).c_str(), "%x:%x:%x.%u", &domain, &bus, &device,
			      &function),
		  4);
	one.domain = domain;
	one.bus = static_cast<std::uint8_t>(bus);
	one.dev = static_cast<std::uint8_t>(device);
	one.fn = static_cast<std::uint8_t>(function);
	one.correctable = PCI_ERR_COR_BAD_TLP;
	return ::write(file.fd(), &one, sizeof(one)) == static_cast<ssize_t>(sizeof(one)) ? 0 :
											    errno;
}

void aer::wait_for_resume(const uevent_reader &uevents, const std::string &of)
{
	uevents.read_until(std::string("ERROR_EVENT=SUCCESSFUL_RECOVERY"),
			   "PCI_SLOT_NAME=" + pci_address(of));
}

std::size_t aer::count_events(std::uint16_t code) const
{
	const auto all = told().read();

	return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [=](const auto &one) {
		return one.code == code;
	}));
}

} // namespace oac::abi
