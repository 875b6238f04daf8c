// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The bench with an injector beside its card: requests go in as the text that users write.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <control/injector.hpp>
#include <control/requests.hpp>

#include "bench.hpp"

namespace oac::emu::test
{

class fault_bench : public bench
{
protected:
	fault_bench() { faults_ = std::make_unique<control::injector>(*card_); }

	/* Another card, and an injector for it. */
	void fresh_card()
	{
		faults_.reset();
		power_up({});
		faults_ = std::make_unique<control::injector>(*card_);
	}

	std::string ask(const std::string &request) { return control::answer(*faults_, request); }
	bool is_ok(const std::string &reply) { return reply.find("\"ok\":true") != reply.npos; }
	/* members: what is behind "request": "inject" in the object. */
	void inject(const std::string &members)
	{
		const std::string reply = ask(R"({"request": "inject", )" + members + "}");
		EXPECT_TRUE(is_ok(reply)) << reply;
	}
	void clear() { EXPECT_TRUE(is_ok(ask(R"({"request": "clear"})"))); }

	/* How many lines of the log say that of the fault. */
	unsigned logged(std::string_view fault, std::string_view what)
	{
		unsigned count = 0;
		for (const control::log_line &line : faults_->log())
			count += line.subject == fault && line.what == what;
		return count;
	}
	unsigned fired(std::string_view fault) { return logged(fault, "fired"); }
	unsigned healed(std::string_view fault) { return logged(fault, "healed"); }
	std::string detail(std::string_view fault)
	{
		std::string last;
		for (const control::log_line &line : faults_->log()) {
			if (line.subject == fault)
				last = line.detail;
		}
		return last;
	}

	/* Admin commands of a card that may not answer; the ring has 16 places. */
	std::optional<oac_completion> try_admin(oac_admin_cmd cmd)
	{
		const std::uint32_t slot = admin_count_ % admin_depth_;
		cmd.cid = static_cast<__le16>(admin_count_ + 1);
		array<oac_admin_cmd>(admin_sq_)[slot] = cmd;
		ring(0, ++admin_count_);
		settle();
		const oac_completion done = array<oac_completion>(admin_cq_)[slot];
		if (done.tag != cmd.cid)
			return std::nullopt;
		return done;
	}
	oac_admin_cmd abort_command(std::uint16_t queue)
	{
		oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_ABORT);
		cmd.arg.queue_abort.queue_id = queue;
		return cmd;
	}
	oac_admin_cmd destroy_command(std::uint16_t queue)
	{
		oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_DESTROY);
		cmd.arg.queue_destroy.queue_id = queue;
		return cmd;
	}
	/* A copy of 64 bytes in host memory. */
	oac_cmd copy_command(std::uint32_t tag = 77)
	{
		oac_cmd cmd = make_cmd(OAC_CMD_COPY, tag);
		cmd.body.copy.src = alloc(OAC_PAGE_SIZE);
		cmd.body.copy.dst = alloc(OAC_PAGE_SIZE);
		cmd.body.copy.row_bytes = 64;
		cmd.body.copy.rows = 1;
		return cmd;
	}
	void send(user_queue &q, const oac_cmd &cmd)
	{
		push(q, cmd);
		ring(q);
		settle();
	}
	void pass_ms(std::uint64_t ms)
	{
		host_.now += ms * 1000000;
		settle();
	}
	void soft_reset() { EXPECT_TRUE(set_reg(OAC_REG_RESET, OAC_RESET_MAGIC)); }
	std::uint32_t state() { return reg(OAC_REG_STATUS) & OAC_STATUS_STATE_MASK; }

	std::unique_ptr<control::injector> faults_;
};

} // namespace oac::emu::test
