// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See operation.hpp.
#include "operation.hpp"

#include <algorithm>
#include <new>
#include <span>

namespace oac::emu
{

namespace
{

constexpr std::uint64_t SLICE_BYTES = std::uint64_t{ 1 } << 20;
constexpr std::uint64_t SLICE_COST = std::uint64_t{ 1 } << 28; /* F32 multiply-adds: some ms */
constexpr std::uint64_t COST_PER_UNIT = SLICE_COST / step_budget::UNITS;
constexpr std::int64_t CALL_COST = 4096;

} // namespace

std::uint64_t operation::element_of(unsigned role) const
{
	switch (role) {
	case op_plan::REQUANT:
	case op_plan::BIAS:
		return sizeof(std::int32_t);
	case op_plan::OUT:
		return plan_.is_s8 && !plan_.to_s32 ? 1 : sizeof(float);
	}
	return plan_.is_s8 ? 1 : sizeof(float);
}

std::byte *operation::find_in_place(const op_plan::operand &operand, std::uint64_t element) const
{
	std::span<std::byte> direct;

	if (!context_.window(operand.va, operand.bytes, operand.kind, direct).ok() ||
	    direct.size() != operand.bytes ||
	    reinterpret_cast<std::uintptr_t>(direct.data()) % element)
		return nullptr;
	return direct.data();
}

outcome operation::start(std::uint64_t va)
{
	oac_op op;

	outcome result = context_.read(va, bytes_of(op));
	if (!result.ok())
		return result;
	result.status = plan_operator(op, *board_.running, plan_);
	for (const op_plan::operand &operand : plan_.operands) {
		if (result.ok())
			result = context_.check(operand.va, operand.bytes, operand.kind);
	}
	if (result.ok() && !stage())
		result.status = OAC_ST_LIMIT;
	const std::optional<unsigned> engine = board_.next_engine();
	if (result.ok() && !engine)
		result.status = OAC_ST_ENGINE_ERROR;
	engine_ = engine.value_or(0);
	return result;
}

/* Operands that are not one piece of memory get a copy, and requant always: it is validated. */
bool operation::stage()
{
	for (unsigned role = 0; role < op_plan::ROLES; role++) {
		const op_plan::operand &operand = plan_.operands[role];
		if (operand.bytes == 0 ||
		    (role != op_plan::REQUANT && find_in_place(operand, element_of(role))))
			continue;
		places_[role].copy.reset(new (std::nothrow) std::byte[operand.bytes]);
		if (!places_[role].copy)
			return false;
	}
	return true;
}

bool operation::advance(step_budget &budget)
{
	if (phase_ == phase::gather) {
		if (!move(access::read, budget))
			return false;
		const auto *requant =
			reinterpret_cast<const oac_requant *>(places_[op_plan::REQUANT].copy.get());
		if (result_.ok() && requant &&
		    !is_valid_requant(requant,
				      plan_.operands[op_plan::REQUANT].bytes / sizeof(oac_requant)))
			result_.status = OAC_ST_BAD_FIELD;
		if (!result_.ok())
			return true;
		phase_ = phase::run;
	}
	if (phase_ == phase::run) {
		while (result_.ok() && done_ < plan_.units) {
			if (!run(budget))
				return false;
		}
		if (!result_.ok())
			return true;
		phase_ = phase::scatter;
		role_ = 0;
		moved_ = 0;
	}
	if (!move(access::write, budget))
		return false;
	if (result_.ok())
		account();
	return true;
}

bool operation::move(access kind, step_budget &budget)
{
	for (; role_ < op_plan::ROLES; role_++, moved_ = 0) {
		const op_plan::operand &operand = plan_.operands[role_];
		std::byte *copy = places_[role_].copy.get();
		while (copy && operand.kind == kind && moved_ < operand.bytes) {
			const std::size_t length = std::min(operand.bytes - moved_, SLICE_BYTES);
			if (!budget.take(static_cast<std::int64_t>(length)))
				return false;
			const std::span<std::byte> part(copy + moved_, length);
			result_ = kind == access::read ? context_.read(operand.va + moved_, part) :
							 context_.write(operand.va + moved_, part);
			if (!result_.ok())
				return true;
			moved_ += length;
		}
	}
	return true;
}

/* Windows end with the step, so what is used in place is looked up for every slice. */
bool operation::bind()
{
	for (unsigned role = 0; role < op_plan::ROLES; role++) {
		const op_plan::operand &operand = plan_.operands[role];
		place &at = places_[role];
		if (operand.bytes == 0)
			continue;
		at.at = at.copy ? at.copy.get() : find_in_place(operand, element_of(role));
		if (at.at)
			continue;
		/* the host took the mapping away meanwhile */
		result_ = context_.check(operand.va, operand.bytes, operand.kind);
		if (result_.ok())
			result_ = { OAC_ST_DMA_ERROR, operand.va };
		return false;
	}
	return true;
}

/* One slice; false: not in this step. */
bool operation::run(step_budget &budget)
{
	std::size_t units = std::clamp<std::size_t>(
		SLICE_COST / std::max<std::uint64_t>(plan_.unit_cost, 1), 1, plan_.units - done_);

	if (units >= plan_.granule)
		units -= units % plan_.granule;
	const std::uint64_t cost = units * plan_.unit_cost / COST_PER_UNIT;
	if (!budget.take(static_cast<std::int64_t>(cost) + CALL_COST))
		return false;
	const std::uint64_t began = board_.clock_ns();
	if (!bind())
		return true;
	run_slice({ done_, done_ + units });
	done_ += units;
	if (board_.hooks && done_ == plan_.units) [[unlikely]]
		board_.hooks->on_answer(engine_, { places_[op_plan::OUT].at,
						   plan_.operands[op_plan::OUT].bytes });
	/* an operator is spread over all engines */
	const std::uint64_t busy = board_.clock_ns() - began;
	budget.compute_ns += busy;
	board_.sense.add_busy(busy);
	board_.count.add(OAC_COUNTER_ENGINE_BUSY_NS, busy * board_.running->manifest.engine_count);
	return true;
}

void operation::run_slice(compute::range slice)
{
	using enum op_plan::role;
	compute::engine &engine = board_.engine;
	const std::size_t from = slice.begin, count = slice.end - slice.begin;

	switch (plan_.op) {
	case OAC_OP_GEMM:
	case OAC_OP_CONV2D:
		return run_products(slice);
	case OAC_OP_MAX_POOL:
		if (plan_.is_s8)
			engine.max_pool(plan_.pool, slice, as<std::int8_t>(A),
					as<std::int8_t>(OUT));
		else
			engine.max_pool(plan_.pool, slice, as<float>(A), as<float>(OUT));
		return;
	case OAC_OP_RELU:
		if (plan_.is_s8)
			engine.relu(count, as<std::int8_t>(A) + from, as<std::int8_t>(OUT) + from);
		else
			engine.relu(count, as<float>(A) + from, as<float>(OUT) + from);
		return;
	case OAC_OP_ADD:
		if (plan_.is_s8)
			engine.add(count, as<std::int8_t>(A) + from, as<std::int8_t>(B) + from,
				   as<std::int8_t>(OUT) + from);
		else
			engine.add(count, as<float>(A) + from, as<float>(B) + from,
				   as<float>(OUT) + from);
		return;
	case OAC_OP_SOFTMAX:
		engine.softmax(count, plan_.cols, as<float>(A) + from * plan_.cols,
			       as<float>(OUT) + from * plan_.cols);
		return;
	}
}

void operation::run_products(compute::range slice)
{
	using enum op_plan::role;
	compute::engine &engine = board_.engine;
	compute::s8_output out = { as<oac_requant>(REQUANT), plan_.per_channel };

	out.s8 = plan_.to_s32 ? nullptr : as<std::int8_t>(OUT);
	out.s32 = plan_.to_s32 ? as<std::int32_t>(OUT) : nullptr;
	if (plan_.op == OAC_OP_CONV2D) {
		if (plan_.is_s8)
			engine.conv_s8(plan_.conv, slice, as<std::int8_t>(A), as<std::int8_t>(B),
				       as<std::int32_t>(BIAS), out);
		else
			engine.conv_f32(plan_.conv, slice, as<float>(A), as<float>(B),
					as<float>(BIAS), as<float>(OUT));
		return;
	}
	compute::gemm_shape shape = plan_.gemm;
	shape.m = slice.end - slice.begin;
	const std::size_t skip_in = slice.begin * shape.k, skip_out = slice.begin * shape.n;
	if (plan_.is_s8) {
		if (out.s8)
			out.s8 += skip_out;
		if (out.s32)
			out.s32 += skip_out;
		engine.gemm_s8(shape, as<std::int8_t>(A) + skip_in, as<std::int8_t>(B),
			       as<std::int32_t>(BIAS), out);
	} else {
		engine.gemm_f32(shape, as<float>(A) + skip_in, as<float>(B), as<float>(BIAS),
				as<float>(OUT) + skip_out);
	}
}

void operation::account()
{
	board_.count.add(OAC_COUNTER_OPERATORS, 1);
	for (const op_plan::operand &operand : plan_.operands)
		context_.count_traffic(operand.va, operand.bytes, operand.kind);
}

} // namespace oac::emu
