// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a user may write: ring entries, operator descriptors, doorbells and arm words of a queue whose
// context sees one room of memory. The card must touch nothing outside the room and serve an honest
// neighbour. A user may keep an engine busy as long as he likes (a copy of 2^32 rows of one byte);
// taking the queue away ends it.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstring>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint64_t PAGE = OAC_PAGE_SIZE;
constexpr std::uint64_t ROOM = 16 * PAGE;	/* rings in the first three pages */
constexpr std::byte WALL{ 0xa5 };
constexpr std::uint16_t HONEST = 1;
constexpr std::uint16_t PRISONER = 2;
constexpr std::uint32_t CONTEXT = 2;
constexpr unsigned DEPTH_LOG2 = 4;
/* Of an input whose work has no end soon. */
constexpr unsigned STEPS = 20;

class prison : public bench
{
public:
	prison()
	{
		start();
		honest_ = create_queue(HONEST);
		walls_ = alloc(PAGE);
		room_ = alloc(ROOM);
		alloc(PAGE);	/* the other wall */
		std::fill_n(host_.at(walls_), PAGE, WALL);
		std::fill_n(host_.at(room_ + ROOM), PAGE, WALL);
		create_ = queue_command(PRISONER, CONTEXT, DEPTH_LOG2);
		create_.arg.queue_create.sq_va = 0;
		create_.arg.queue_create.cq_va = PAGE;
		create_.arg.queue_create.tail_va = 2 * PAGE;
		mark_ = next_;
	}
	void TestBody() override {}

	void try_input(FuzzedDataProvider &input)
	{
		next_ = mark_;
		std::memset(host_.at(room_), 0, ROOM);
		ASSERT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, CONTEXT)), OAC_ST_SUCCESS);
		ASSERT_EQ(map(CONTEXT, 0, { { room_, ROOM } }, OAC_MAP_READ | OAC_MAP_WRITE),
			  OAC_ST_SUCCESS);
		ASSERT_EQ(status_of(create_), OAC_ST_SUCCESS);
		while (input.remaining_bytes() > 0)
			act(input);
		if (comes_to_rest())
			check();
		oac_admin_cmd destroy = command(OAC_ADMIN_QUEUE_DESTROY);
		destroy.arg.queue_destroy.queue_id = PRISONER;
		ASSERT_EQ(status_of(destroy), OAC_ST_SUCCESS);
		ASSERT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, CONTEXT)), OAC_ST_SUCCESS);
		check();
	}

private:
	void act(FuzzedDataProvider &input)
	{
		switch (input.ConsumeIntegralInRange(0, 5)) {
		case 0: { /* a command */
			const auto bytes = input.ConsumeBytes<std::byte>(sizeof(oac_cmd));
			std::ranges::copy(bytes,
					  host_.at(room_ + written_++ % 16 * sizeof(oac_cmd)));
			break;
		}
		case 1: { /* an operator to run, where it may be found */
			const auto bytes = input.ConsumeBytes<std::byte>(sizeof(oac_op));
			std::ranges::copy(bytes, host_.at(room_ + 3 * PAGE));
			oac_cmd cmd = make_cmd(OAC_CMD_EXEC);
			cmd.body.exec.va = 3 * PAGE;
			cmd.body.exec.size = sizeof(oac_op);
			std::memcpy(host_.at(room_ + written_++ % 16 * sizeof(cmd)), &cmd,
				    sizeof(cmd));
			break;
		}
		case 2:
			ring(PRISONER, written_);
			break;
		case 3:
			ring(PRISONER, input.ConsumeIntegral<std::uint32_t>());
			break;
		case 4:
			arm(PRISONER, input.ConsumeIntegral<std::uint32_t>(),
			    input.ConsumeIntegral<std::uint32_t>());
			break;
		default:
			card_->tick();
			for (unsigned i = input.ConsumeIntegralInRange(0u, 20u); i > 0; i--)
				card_->step();
		}
	}

	bool comes_to_rest()
	{
		card_->tick();
		for (unsigned i = 0; i < STEPS; i++) {
			if (!card_->step())
				return true;
		}
		return false;
	}

	void check()
	{
		const auto is_wall = [](std::byte b) { return b == WALL; };
		ASSERT_TRUE(std::all_of(host_.at(walls_), host_.at(walls_) + PAGE, is_wall));
		ASSERT_TRUE(std::all_of(host_.at(room_ + ROOM), host_.at(room_ + ROOM) + PAGE,
					is_wall));
		ASSERT_EQ(run(honest_, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	}

	user_queue honest_;
	oac_admin_cmd create_;
	std::uint64_t walls_, room_, mark_;
	std::uint32_t written_ = 0;
};

} // namespace
} // namespace oac::emu::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace oac::emu::test;
	::testing::FLAGS_gtest_break_on_failure = true;
	static prison cell;
	FuzzedDataProvider input(data, size);

	cell.try_input(input);
	return 0;
}
