// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What comes through a control socket, and scenario files. By the first byte: '{' what a client of
// the socket sends, in pieces; '-' or '#' a scenario; else requests made from the catalogue, with a
// driver at work in between. Each request has one reply, and once all faults are cleared a reset
// card serves again.
#include <fuzzer/FuzzedDataProvider.h>

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <control/scenario.hpp>
#include <request_lines.hpp>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

using nlohmann::json;

/* Steps between two requests: a storm may not come to rest for long. */
constexpr unsigned STEPS = 300;
constexpr unsigned ACTIONS = 64;
constexpr std::uint16_t QUEUE = 1;

class controlled_card : public fault_bench
{
public:
	void TestBody() override {}

	void try_lines(std::string_view bytes)
	{
		power_on();
		const std::size_t piece = 1 + static_cast<unsigned char>(bytes.back()) * 7u;
		std::size_t replies = 0, lines = 0;
		request_lines client;
		const answerer answer = [this](std::string_view request) {
			return control::answer(*faults_, request);
		};
		while (!bytes.empty()) {
			const std::string_view part = bytes.substr(0, piece);
			bytes.remove_prefix(part.size());
			lines += static_cast<std::size_t>(std::ranges::count(part, '\n'));
			if (!client.take(part, answer))
				break;
			replies += check_replies(client.out);
			client.out.clear();
			run_on();
		}
		ASSERT_LE(replies, lines);
		check();
	}

	void try_scenario(const std::string &yaml)
	{
		std::vector<control::scenario_item> items;

		power_on();
		try {
			items = control::read_scenario(yaml);
		} catch (const control::scenario_error &e) {
			ASSERT_NE(*e.what(), '\0');
			return;
		}
		for (const control::scenario_item &item : items)
			check_reply(ask(item.request));
		run_on();
		check();
	}

	void try_catalogue(FuzzedDataProvider &input)
	{
		power_on();
		for (unsigned i = 0; i < ACTIONS && input.remaining_bytes() > 0; i++)
			act(input);
		check();
	}

private:
	void power_on()
	{
		fresh_card();
		start();
		queue_ = create_queue(QUEUE);
	}

	/* A number of lines, each a reply. */
	static std::size_t check_replies(std::string_view out)
	{
		std::size_t count = 0;

		for (; !out.empty(); count++) {
			const std::size_t end = out.find('\n');
			EXPECT_NE(end, out.npos) << "a reply without an end";
			check_reply(out.substr(0, end));
			out.remove_prefix(end + 1);
		}
		return count;
	}

	static void check_reply(std::string_view line)
	{
		const json reply = json::parse(line, nullptr, false);

		ASSERT_TRUE(reply.is_object()) << line;
		ASSERT_TRUE(reply.contains("ok")) << line;
		ASSERT_EQ(reply.at("ok").get<bool>(), !reply.contains("error")) << line;
	}

	static std::string text_of(const json &request)
	{
		return request.dump(-1, ' ', false, json::error_handler_t::replace);
	}

	void run_on()
	{
		card_->tick();
		for (unsigned i = 0; i < STEPS && card_->step(); i++)
			;
	}

	void act(FuzzedDataProvider &input)
	{
		switch (input.ConsumeIntegralInRange(0, 8)) {
		case 0:
		case 1:
		case 2:
			check_reply(ask(text_of(fault_request(input))));
			break;
		case 3:
			check_reply(ask(text_of(other_request(input))));
			break;
		case 4:
			push(queue_, input.ConsumeBool() ? make_cmd(OAC_CMD_NOP) : copy_command());
			ring(queue_);
			break;
		case 5:
			admin_at_risk(input);
			break;
		case 6:
			host_.now += input.ConsumeIntegralInRange<std::uint64_t>(0, 2000000000);
			break;
		case 7: {
			std::uint32_t value = 0;
			const auto at = input.ConsumeIntegralInRange<std::uint32_t>(0, 0x40) * 4;
			card_->bar_read(OAC_BAR_REGS, at,
					std::as_writable_bytes(std::span(&value, 1)));
			card_->config_read(at, std::as_writable_bytes(std::span(&value, 1)));
			break;
		}
		default:
			set_reg(OAC_REG_RESET, OAC_RESET_MAGIC);
			run_on();
			set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST);
		}
		run_on();
		if (next_ > fake_host::BASE + fake_host::SIZE / 2)
			next_ = mark_;
	}

	void admin_at_risk(FuzzedDataProvider &input)
	{
		constexpr std::uint8_t asked[] = { OAC_ADMIN_IDENTIFY, OAC_ADMIN_GET_LOG,
						   OAC_ADMIN_SELF_TEST, OAC_ADMIN_TIME_SYNC,
						   OAC_ADMIN_QUEUE_ABORT };
		oac_admin_cmd cmd = command(input.PickValueInArray(asked));

		if (cmd.opcode == OAC_ADMIN_IDENTIFY || cmd.opcode == OAC_ADMIN_GET_LOG) {
			cmd.data_addr = alloc(OAC_PAGE_SIZE);
			cmd.data_size = cmd.opcode == OAC_ADMIN_IDENTIFY ? sizeof(oac_identify) :
									   OAC_PAGE_SIZE;
		}
		if (cmd.opcode == OAC_ADMIN_GET_LOG)
			cmd.arg.get_log.page = input.ConsumeIntegralInRange(1u, 5u);
		if (cmd.opcode == OAC_ADMIN_QUEUE_ABORT)
			cmd.arg.queue_abort.queue_id = QUEUE;
		cmd.cid = static_cast<__le16>(admin_count_);
		array<oac_admin_cmd>(admin_sq_)[admin_count_ % admin_depth_] = cmd;
		ring(0, ++admin_count_);
	}

	/* As its parameter says it is, or nearly. */
	static json value_of(const control::fault_kind &kind, const control::parameter_kind &which,
			     FuzzedDataProvider &input)
	{
		const auto words = control::words_of(kind.words(which));

		if (input.ConsumeIntegralInRange(0, 15) == 0)
			return input.ConsumeRandomLengthString(8);
		if (!kind.words(which).empty())
			return words[input.ConsumeIntegralInRange<std::size_t>(0, words.size() - 1)];
		if (input.ConsumeBool())
			return input.ConsumeIntegralInRange<std::int64_t>(
				which.min, std::min(which.max, which.min + 255));
		return input.ConsumeIntegralInRange(which.min, which.max);
	}

	static void add_trigger(json &request, FuzzedDataProvider &input)
	{
		const auto &counted = control::all_happenings();
		const auto on = input.ConsumeIntegralInRange<std::size_t>(0, 2 * counted.size());

		if (on == 0)
			request["at"] = { { "ms", input.ConsumeIntegralInRange(0, 3000) } };
		else if (on < counted.size())
			request["at"] = { { std::string(counted[on]),
					    input.ConsumeIntegralInRange(1, 20) } };
	}

	static json fault_request(FuzzedDataProvider &input)
	{
		const auto &all = control::all_faults();
		const control::fault_kind &kind =
			all[input.ConsumeIntegralInRange<std::size_t>(0, all.size() - 1)];
		json request = { { "request", "inject" }, { "fault", kind.name } };

		for (const control::parameter_kind &which : control::all_parameters()) {
			if (kind.takes(which.id) && input.ConsumeBool())
				request[std::string(which.name)] = value_of(kind, which, input);
		}
		add_trigger(request, input);
		if (input.ConsumeBool())
			request["times"] = input.ConsumeIntegralInRange(0, 1000000000);
		if (input.ConsumeBool())
			request["seed"] = input.ConsumeIntegral<std::uint64_t>();
		if (input.ConsumeBool())
			request["probability"] = input.ConsumeProbability<double>();
		return request;
	}

	static json other_request(FuzzedDataProvider &input)
	{
		constexpr std::string_view names[] = { "clear", "list", "log", "set_sensor",
						       "state" };
		const control::fault_kind &thermal = *control::find_fault("thermal");
		json request = { { "request", input.PickValueInArray(names) } };

		if (request["request"] == "clear" && input.ConsumeBool())
			request["id"] = input.ConsumeIntegralInRange(0, 40);
		if (request["request"] == "log" && input.ConsumeBool())
			request["from"] = input.ConsumeIntegral<std::int64_t>();
		if (request["request"] == "set_sensor") {
			request["sensor"] = value_of(
				thermal, control::kind_of(control::parameter::sensor), input);
			request["value"] = input.ConsumeIntegral<std::int64_t>();
			add_trigger(request, input);
		}
		return request;
	}

	void restart()
	{
		next_ = mark_;
		ASSERT_TRUE(set_reg(OAC_REG_RESET, OAC_RESET_MAGIC));
		settle();
		ASSERT_EQ(state(), OAC_STATE_ROM);
		start();
	}

	/* With all faults gone and sensors as they are, a card that was reset is as good as new. */
	void check()
	{
		const control::fault_kind &thermal = *control::find_fault("thermal");

		ASSERT_TRUE(is_ok(ask(R"({"request": "clear"})")));
		restart();
		for (const std::string_view sensor :
		     control::words_of(thermal.words(control::kind_of(control::parameter::sensor))))
			ask(text_of({ { "request", "set_sensor" }, { "sensor", sensor } }));
		restart();
		user_queue fresh = create_queue(QUEUE);
		ASSERT_EQ(run(fresh, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	}

	user_queue queue_{};
	/* Behind all that power_on() takes. */
	const std::uint64_t mark_ = fake_host::BASE + 4 * MIB;
};

} // namespace
} // namespace oac::emu::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace oac::emu::test;
	::testing::FLAGS_gtest_break_on_failure = true;
	static controlled_card card;
	const std::string_view text(reinterpret_cast<const char *>(data), size);

	if (text.starts_with('{')) {
		card.try_lines(text);
	} else if (text.starts_with('-') || text.starts_with('#')) {
		card.try_scenario(std::string(text));
	} else {
		FuzzedDataProvider input(data, size);
		card.try_catalogue(input);
	}
	return 0;
}
