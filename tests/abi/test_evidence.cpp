// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a failure leaves behind: the device coredump of the first one, as accelctl debug reads it, and
// the lines of the tracepoints. Needs the emulator's control socket (control.hpp).
#include "control.hpp"
#include "objects.hpp"
#include "recovery.hpp"
#include "trace.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm/oac_dump.h>

using namespace oac::abi;
namespace fs = std::filesystem;

class evidence : public recovery_test
{
protected:
	void SetUp() override
	{
		if (!has_control())
			GTEST_SKIP() << "no way to a card's control socket (OAC_TEST_CTL)";
		recovery_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		watchdog_.emplace("watchdog_ms", "100");
		hang_.emplace("hang_ms", std::to_string(1000 * slowness()));
	}

private:
	std::optional<parameter> watchdog_, hang_;
};

/* ---- Tracepoints ------------------------------------------------------------------------------ */

TEST_F(evidence, the_trace_tells_of_submission_hang_and_recovery)
{
	const own_trace trace("oac");
	const event_reader told(dev(), 0);
	char serial[32];

	if (!trace.is_there())
		GTEST_SKIP() << "the kernel has no tracepoints, or they cannot be switched on";
	snprintf(serial, sizeof(serial), "card=%016llx",
		 static_cast<unsigned long long>(dev().info().serial));
	const auto made = make_kernel_queue();
	const unsigned id = inject(path(), "lost_doorbell");
	write_nops(0, 1);
	ASSERT_EQ(ring(made.queue, 1), 0);
	wait_for(made.queue, 1);
	clear(path(), id);
	inject(path(), "hang_command", R"("until":"abort")");
	write_nops(1, 2);
	ASSERT_EQ(ring(made.queue, 3), 0);
	const auto events = told.read_until(OAC_EVENT_RECOVERED, OAC_RUNG_ABORT);
	const auto begun = std::find_if(events.begin(), events.end(), [](const auto &one) {
		return one.code == OAC_EVENT_RECOVERY;
	});
	ASSERT_NE(begun, events.end());
	const std::string context = "context=" + std::to_string(begun->context);
	const std::string queue = "queue=" + std::to_string(begun->queue);

	EXPECT_NE(trace.line({ "oac_submit:", serial, context, queue, "flags=0x1", "tail=3",
			       "err=0" }),
		  "");
	EXPECT_NE(trace.line({ "oac_ring_again:", serial, context, queue, "tail=1", "taken=0" }),
		  "");
	EXPECT_NE(trace.line({ "oac_hang:", serial, context, queue, "tail=3", "taken=2",
			       "completed=1" }),
		  "");
	EXPECT_NE(trace.line({ "oac_health:", serial, "reason=0x20" }), "");
	EXPECT_NE(trace.line({ "oac_admin:", serial, "opcode=0x32", "err=0" }), "");
	EXPECT_NE(trace.line({ "oac_rung:", serial, "rung=0", "cause=1", "err=0" }), "");
	EXPECT_NE(trace.line({ "oac_irq:", serial }), "");
	EXPECT_EQ(trace.line({ "oac_submit:", serial, queue, "tail=4" }), "") << "nobody did that";
}

/* ---- Dumps ------------------------------------------------------------------------------------ */

/* Its files stay on the card of before, which is gone. */
class dump : public evidence
{
protected:
	void SetUp() override
	{
		evidence::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		if (!fs::exists("/sys/class/devcoredump"))
			GTEST_SKIP() << "the kernel takes no device coredumps";
		/* Since the driver has the card: so it gets it anew, and nobody else has it open. */
		address_ = pci_address(path());
		drop();
		queue_ = good_queue();
		driver("unbind");
		driver("bind");
		/* The bind returned when the driver had the card, and devtmpfs its node. */
		for (const auto &one : find_nodes()) {
			if (pci_address(one) == address_)
				fresh_path_ = one;
		}
		fresh_.emplace(::open(fresh_path_.c_str(), O_RDWR | O_CLOEXEC));
		ASSERT_GE(fresh_->fd(), 0);
		told_.emplace(*fresh_, 0);
	}

	void TearDown() override {}

	drm_oac_queue_create queue_ = {};
	const node &fresh() const { return *fresh_; }
	const std::string &fresh_path() const { return fresh_path_; }
	const std::string &address() const { return address_; }
	const event_reader &told() const { return *told_; }

	/* Path of the card's dump; empty: there is none. */
	std::string find() const
	{
		std::error_code error;

		for (const auto &one : fs::directory_iterator("/sys/class/devcoredump", error)) {
			if (fs::read_symlink(one.path() / "failing_device", error).filename() ==
			    address_)
				return one.path() / "data";
		}
		return {};
	}

	void drop() const
	{
		if (const auto old = find(); !old.empty())
			std::ofstream(old) << "0";
	}

	static std::string read(const std::string &file_name)
	{
		std::ifstream file(file_name, std::ios::binary);

		return { std::istreambuf_iterator<char>(file), {} };
	}

private:
	void driver(const char *what) const
	{
		std::ofstream file(std::string("/sys/bus/pci/drivers/oac/") + what);

		file << address_ << std::flush;
		EXPECT_TRUE(file.good());
	}

	std::string address_, fresh_path_;
	std::optional<node> fresh_;
	std::optional<event_reader> told_;
};

TEST_F(dump, is_of_the_first_failure)
{
	inject(fresh_path(), "crash");
	told().read_until(OAC_EVENT_RECOVERED);
	ASSERT_NE(find(), "");
	const std::string bytes = read(find());
	oac_dump_header header = {};
	ASSERT_GE(bytes.size(), sizeof(header));
	std::memcpy(&header, bytes.data(), sizeof(header));
	EXPECT_EQ(header.magic, OAC_DUMP_MAGIC);
	EXPECT_EQ(header.version, static_cast<std::uint32_t>(OAC_DUMP_VERSION));
	EXPECT_EQ(header.size, bytes.size());
	EXPECT_EQ(header.cause, static_cast<std::uint32_t>(OAC_CAUSE_CRASHED));
	EXPECT_EQ(std::string(reinterpret_cast<char *>(header.device)), address());
	std::size_t at = header.header_size;
	for (std::uint32_t i = 0; i < header.section_count; i++) {
		oac_dump_section section = {};

		ASSERT_LE(at + sizeof(section), bytes.size());
		std::memcpy(&section, bytes.data() + at, sizeof(section));
		EXPECT_EQ(section.type, i + 1);
		EXPECT_EQ(section.size, std::uint64_t{ section.count } * section.stride);
		if (section.type == OAC_DUMP_REGISTERS) {
			oac_dump_register first = {};

			std::memcpy(&first, bytes.data() + at + sizeof(section), sizeof(first));
			EXPECT_EQ(first.offset, static_cast<std::uint32_t>(OAC_REG_ID));
			EXPECT_EQ(first.value, OAC_ID_MAGIC);
		}
		at += sizeof(section) + section.size;
	}
	EXPECT_EQ(at, bytes.size());
	drop();
	/* Only the first. */
	inject(fresh_path(), "crash");
	told().read_until(OAC_EVENT_RECOVERED);
	EXPECT_EQ(find(), "");
}

/* What the user keeps in memory, and what he tells the card to do with it, are nobody's business. */
TEST_F(dump, is_read_by_accelctl_and_has_nothing_of_the_users_in_it)
{
	constexpr std::uint64_t secret = 0x5ec2e7da7a0fac75ull;
	std::uint64_t offset = 0;
	const std::uint32_t handle = fresh().buffer(ring_size, &offset);
	const mapping rings(fresh(), offset, ring_size);
	drm_oac_queue_create create = queue_;
	drm_oac_map map = {};

	map.context = create.context = fresh().context();
	map.handle = handle;
	map.va = va;
	map.size = ring_size;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	ASSERT_EQ(fresh()(map), 0);
	create.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT;
	ASSERT_EQ(fresh()(create), 0);
	volatile oac_cmd &fill = *rings.at<oac_cmd>();
	fill.opcode = OAC_CMD_FILL;
	fill.body.fill.dst = va;
	fill.body.fill.length = 8;
	fill.body.fill.pattern = secret;
	fill.body.fill.pattern_size = 8;
	*rings.at<std::uint64_t>(ring_size - sizeof(secret)) = secret;
	inject(fresh_path(), "hang_command", R"("until":"abort")");
	drm_oac_queue_submit ring = { create.queue, DRM_OAC_SUBMIT_TAIL, 1, 0 };
	ASSERT_EQ(fresh().call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &ring), 0);
	const auto events = told().read_until(OAC_EVENT_RECOVERED, OAC_RUNG_ABORT);
	const auto begun = std::find_if(events.begin(), events.end(), [](const auto &one) {
		return one.code == OAC_EVENT_RECOVERY;
	});
	ASSERT_NE(begun, events.end());

	ASSERT_NE(find(), "");
	const std::string bytes = read(find());
	EXPECT_EQ(bytes.find(std::string(reinterpret_cast<const char *>(&secret), 8)), bytes.npos);
	FILE *const pipe = popen(("accelctl -o json debug " + find()).c_str(), "re");
	ASSERT_NE(pipe, nullptr);
	std::string said;
	std::array<char, 4096> some;
	for (std::size_t got; (got = fread(some.data(), 1, some.size(), pipe)) > 0;)
		said.append(some.data(), got);
	const int status = pclose(pipe);
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(WEXITSTATUS(status), 0) << said;
	/* JSON, whatever blanks it has. */
	std::erase_if(said, [](char c) { return c == ' ' || c == '\n'; });
	EXPECT_NE(said.find(R"("cause":"hang")"), said.npos) << said;
	EXPECT_NE(said.find(R"("device":")" + address() + '"'), said.npos);
	const auto guilty = said.find(R"("guilty":[{)");
	ASSERT_NE(guilty, said.npos) << said;
	const std::string one = said.substr(guilty, said.find('}', guilty) - guilty);
	EXPECT_NE(one.find("\"queue\":" + std::to_string(begun->queue) + ','), one.npos) << one;
	EXPECT_NE(one.find("\"context\":" + std::to_string(begun->context) + ','), one.npos) << one;
	EXPECT_NE(one.find("\"pid\":" + std::to_string(getpid()) + ','), one.npos) << one;
	EXPECT_NE(one.find(R"("taken":1,)"), one.npos) << one;
	EXPECT_NE(one.find(R"("completed":0,)"), one.npos) << one;
	EXPECT_NE(said.find(R"("rung":"abort")"), said.npos) << said;
	drop();
}
