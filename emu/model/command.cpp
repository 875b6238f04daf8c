// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See command.hpp. Words of a timeline are read and written whole where they can be reached
// directly, so that a host thread may wait on them.
#include "command.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace oac::emu
{

namespace
{

constexpr std::uint64_t SLICE_BYTES = std::uint64_t{ 1 } << 20;
constexpr std::int64_t ROW_COST = 64;

/* Bytes of the body that each command uses; what is behind them is padding. */
std::size_t body_size(unsigned opcode)
{
	switch (opcode) {
	case OAC_CMD_COPY:
		return sizeof(oac_cmd_copy);
	case OAC_CMD_FILL:
		return sizeof(oac_cmd_fill);
	case OAC_CMD_SIGNAL:
	case OAC_CMD_WAIT:
		return sizeof(oac_cmd_timeline);
	case OAC_CMD_TIMESTAMP:
		return sizeof(oac_cmd_timestamp);
	case OAC_CMD_EXEC:
		return sizeof(oac_cmd_exec);
	}
	return 0;
}

bool is_known(unsigned opcode)
{
	switch (opcode) {
#define OAC_CMD_CASE(name) case OAC_CMD_##name:
		OAC_CMDS(OAC_CMD_CASE)
#undef OAC_CMD_CASE
		return true;
	}
	return false;
}

bool is_zero(std::span<const __u8> bytes)
{
	/* eight at a time: this is on the path of every command */
	std::uint64_t any = 0;

	while (bytes.size() >= sizeof(any)) {
		std::uint64_t word;
		std::memcpy(&word, bytes.data(), sizeof(word));
		any |= word;
		bytes = bytes.subspan(sizeof(word));
	}
	for (const __u8 byte : bytes)
		any |= byte;
	return any == 0;
}

bool is_word(std::span<std::byte> direct)
{
	return direct.size() == sizeof(std::uint64_t) &&
	       reinterpret_cast<std::uintptr_t>(direct.data()) % sizeof(std::uint64_t) == 0;
}

outcome store_word(const context &in, std::uint64_t va, std::uint64_t value)
{
	std::span<std::byte> direct;
	const outcome result = in.window(va, sizeof(value), access::write, direct);

	if (!result.ok())
		return result;
	in.count_traffic(va, sizeof(value), access::write);
	if (!is_word(direct))
		return in.write(va, std::as_bytes(std::span(&value, 1)));
	std::atomic_ref(*reinterpret_cast<std::uint64_t *>(direct.data()))
		.store(value, std::memory_order_release);
	return {};
}

outcome load_word(const context &in, std::uint64_t va, std::uint64_t &value)
{
	std::span<std::byte> direct;
	const outcome result = in.window(va, sizeof(value), access::read, direct);

	if (!result.ok())
		return result;
	if (!is_word(direct))
		return in.read(va, bytes_of(value));
	value = std::atomic_ref(*reinterpret_cast<std::uint64_t *>(direct.data()))
			.load(std::memory_order_acquire);
	return {};
}

} // namespace

command::progress command::finish(outcome result)
{
	active_ = false;
	frozen_ = false;
	operation_.reset();
	result_ = result;
	return progress::done;
}

std::uint16_t command::validate() const
{
	if (!is_known(cmd_.opcode) || !board_.running->has_command(cmd_.opcode))
		return OAC_ST_BAD_OPCODE;
	const std::span<const __u8> body(cmd_.body.bytes);
	if (cmd_.flags || cmd_.rsvd || cmd_.tag == OAC_TAG_NONE ||
	    !is_zero(body.subspan(body_size(cmd_.opcode))))
		return OAC_ST_BAD_FIELD;

	const oac_cmd_fill &fill = cmd_.body.fill;
	switch (cmd_.opcode) {
	case OAC_CMD_COPY:
		return cmd_.body.copy.rsvd ? OAC_ST_BAD_FIELD : OAC_ST_SUCCESS;
	case OAC_CMD_FILL:
		if (fill.rsvd ||
		    (fill.pattern_size != 1 && fill.pattern_size != 2 && fill.pattern_size != 4 &&
		     fill.pattern_size != 8) ||
		    fill.length % fill.pattern_size)
			return OAC_ST_BAD_FIELD;
		return fill.dst % fill.pattern_size ? OAC_ST_BAD_ALIGNMENT : OAC_ST_SUCCESS;
	case OAC_CMD_SIGNAL:
	case OAC_CMD_WAIT:
	case OAC_CMD_TIMESTAMP: /* the same field at the same place */
		return cmd_.body.timeline.va % sizeof(std::uint64_t) ? OAC_ST_BAD_ALIGNMENT :
								       OAC_ST_SUCCESS;
	case OAC_CMD_EXEC:
		if (cmd_.body.exec.rsvd || cmd_.body.exec.size != sizeof(oac_op))
			return OAC_ST_BAD_FIELD;
		return cmd_.body.exec.va % sizeof(std::uint64_t) ? OAC_ST_BAD_ALIGNMENT :
								   OAC_ST_SUCCESS;
	}
	return OAC_ST_SUCCESS;
}

command::progress command::start(const oac_cmd &cmd)
{
	cmd_ = cmd;
	active_ = true;
	row_ = 0;
	offset_ = 0;
	const std::uint16_t status = validate();
	if (status != OAC_ST_SUCCESS)
		return finish({ status, 0 });
	switch (cmd_.opcode) {
	case OAC_CMD_BARRIER:
		/* commands of a queue run one after the other, so only the host side is left */
		std::atomic_thread_fence(std::memory_order_seq_cst);
		return finish({});
	case OAC_CMD_SIGNAL:
		return finish(signal());
	case OAC_CMD_TIMESTAMP:
		return start_timestamp();
	case OAC_CMD_EXEC:
		return start_exec();
	case OAC_CMD_COPY:
	case OAC_CMD_FILL:
	case OAC_CMD_WAIT:
		return progress::more;
	}
	return finish({});
}

void command::freeze(const oac_cmd &cmd)
{
	cmd_ = cmd;
	active_ = true;
	frozen_ = true;
}

command::progress command::thaw()
{
	const oac_cmd again = cmd_;

	frozen_ = false;
	return start(again);
}

command::progress command::advance(step_budget &budget)
{
	switch (cmd_.opcode) {
	case OAC_CMD_COPY:
		return advance_copy(budget);
	case OAC_CMD_FILL:
		return advance_fill(budget);
	case OAC_CMD_WAIT:
		return advance_wait();
	}
	const bool done = operation_->advance(budget);
	return done ? finish(operation_->result()) : progress::more;
}

outcome command::signal()
{
	const oac_cmd_timeline &body = cmd_.body.timeline;
	const outcome result = store_word(context_, body.va, body.value);

	board_.signal_epoch++;
	return result;
}

command::progress command::start_timestamp()
{
	const std::uint64_t now = board_.clock_ns();
	const std::uint64_t va = cmd_.body.timestamp.va;
	const outcome stored = va ? store_word(context_, va, now) : outcome{};

	return finish(stored.ok() ? outcome{ OAC_ST_SUCCESS, now } : stored);
}

command::progress command::start_exec()
{
	operation_ = std::make_unique<operation>(board_, context_);
	const outcome result = operation_->start(cmd_.body.exec.va);

	return result.ok() ? progress::more : finish(result);
}

command::progress command::advance_copy(step_budget &budget)
{
	const oac_cmd_copy &body = cmd_.body.copy;

	if (body.row_bytes == 0)
		return finish({});
	while (row_ < body.rows) {
		const std::uint64_t length =
			std::min<std::uint64_t>(body.row_bytes - offset_, SLICE_BYTES);
		if (!budget.take(static_cast<std::int64_t>(length) + ROW_COST))
			return progress::more;
		const outcome result = context_.copy(body.dst + row_ * body.dst_pitch + offset_,
						     body.src + row_ * body.src_pitch + offset_,
						     length);
		if (!result.ok())
			return finish(result);
		offset_ += length;
		if (offset_ == body.row_bytes) {
			offset_ = 0;
			row_++;
		}
	}
	return finish({});
}

command::progress command::advance_fill(step_budget &budget)
{
	const oac_cmd_fill &body = cmd_.body.fill;

	while (offset_ < body.length) {
		std::array<std::byte, OAC_PAGE_SIZE> block;
		const std::uint64_t va = body.dst + offset_;
		std::uint64_t length = std::min<std::uint64_t>(body.length - offset_, SLICE_BYTES);
		std::span<std::byte> direct;
		if (!budget.take(static_cast<std::int64_t>(length) + ROW_COST))
			return progress::more;
		outcome result = context_.window(va, length, access::write, direct);
		if (!result.ok())
			return finish(result);
		if (direct.empty() || direct.size() % body.pattern_size)
			direct =
				std::span(block).first(std::min<std::size_t>(length, block.size()));
		for (std::size_t at = 0; at < body.pattern_size; at++)
			direct[at] = static_cast<std::byte>(body.pattern >> (8 * at));
		for (std::size_t have = body.pattern_size; have < direct.size(); have *= 2)
			std::memcpy(direct.data() + have, direct.data(),
				    std::min(have, direct.size() - have));
		length = direct.size();
		if (direct.data() == block.data())
			result = context_.write(va, direct);
		if (!result.ok())
			return finish(result);
		context_.count_traffic(va, length, access::write);
		offset_ += length;
	}
	return finish({});
}

command::progress command::advance_wait()
{
	const oac_cmd_timeline &body = cmd_.body.timeline;
	std::uint64_t value = 0;
	const outcome result = load_word(context_, body.va, value);

	if (!result.ok())
		return finish(result);
	return value >= body.value ? finish({}) : progress::blocked;
}

} // namespace oac::emu
