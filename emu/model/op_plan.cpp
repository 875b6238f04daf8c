// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See op_plan.hpp.
#include "op_plan.hpp"

#include <algorithm>
#include <span>

#include <hw/oac_queue.h>

namespace oac::emu
{

namespace
{

/* Rough costs in F32 multiply-adds, for slicing only. */
constexpr std::uint64_t ELEMENT_COST = 64, SOFTMAX_COST = 512;
constexpr std::uint64_t S8_SPEEDUP = 4, S8_SLOWDOWN = 32;
constexpr std::uint64_t S8_DEPTH_END = std::uint64_t{ 1 } << 17; /* K * 128 * 128 < 2^31 */
constexpr std::uint64_t ALIGNMENT_S8 = 1, ALIGNMENT_F32 = 4;

/* What the header says, operator by operator. */
struct op_rules {
	unsigned op;
	unsigned flags;
	std::size_t body;
	bool has_bias; /* GEMM and CONV2D: bias, requant, S32 output */
};

constexpr op_rules RULES[] = {
	{ OAC_OP_GEMM, OAC_OP_FUSE_RELU | OAC_OP_TRANS_B | OAC_OP_PER_CHANNEL, sizeof(oac_op_gemm),
	  true },
	{ OAC_OP_CONV2D, OAC_OP_FUSE_RELU | OAC_OP_PER_CHANNEL, sizeof(oac_op_conv2d), true },
	{ OAC_OP_MAX_POOL, 0, sizeof(oac_op_max_pool), false },
	{ OAC_OP_RELU, 0, sizeof(oac_op_eltwise), false },
	{ OAC_OP_ADD, 0, sizeof(oac_op_eltwise), false },
	{ OAC_OP_SOFTMAX, 0, sizeof(oac_op_softmax), false },
};

bool is_dim(std::uint64_t value)
{
	return value >= 1 && value <= OAC_DIM_MAX;
}

/* The product of dimensions that were checked one by one; caps instead of wrapping. */
template <typename... Dims>
std::uint64_t elements(Dims... dims)
{
	std::uint64_t product = 1;

	((product = std::min<std::uint64_t>(product, OAC_TENSOR_BYTES_MAX + 1) * dims), ...);
	return product;
}

std::uint16_t check_header(const oac_op &op, const firmware &by, const op_rules &rules)
{
	const oac_op_header &header = op.header;
	const std::span<const __u8> body(op.body.bytes);

	if (header.rsvd || header.flags & ~rules.flags)
		return OAC_ST_BAD_FIELD;
	for (const __u8 byte : body.subspan(rules.body)) {
		if (byte)
			return OAC_ST_BAD_FIELD;
	}
	const bool is_f32 = header.dtype == OAC_DTYPE_F32, is_s8 = header.dtype == OAC_DTYPE_S8;
	const std::uint64_t features = by.manifest.features;
	if (!(is_f32 && features & OAC_FEATURE_FP32) && !(is_s8 && features & OAC_FEATURE_INT8))
		return OAC_ST_BAD_DTYPE;
	if (is_s8 && rules.op == OAC_OP_SOFTMAX)
		return OAC_ST_BAD_DTYPE;
	const bool is_s32 = is_s8 && rules.has_bias && header.out_dtype == OAC_DTYPE_S32;
	if (header.out_dtype != header.dtype && !is_s32)
		return OAC_ST_BAD_DTYPE;
	if (header.flags & OAC_OP_PER_CHANNEL && (!is_s8 || is_s32))
		return OAC_ST_BAD_FIELD;
	return OAC_ST_SUCCESS;
}

class planner
{
public:
	planner(const oac_op &op, op_plan &plan) : op_(op), plan_(plan) {}

	std::uint16_t run()
	{
		const unsigned flags = op_.header.flags;

		plan_.op = op_.header.op;
		plan_.is_s8 = op_.header.dtype == OAC_DTYPE_S8;
		plan_.to_s32 = op_.header.out_dtype == OAC_DTYPE_S32;
		plan_.per_channel = flags & OAC_OP_PER_CHANNEL;
		element_ = plan_.is_s8 ? ALIGNMENT_S8 : ALIGNMENT_F32;
		switch (plan_.op) {
		case OAC_OP_GEMM:
			return gemm(op_.body.gemm, flags);
		case OAC_OP_CONV2D:
			return conv(op_.body.conv2d, flags);
		case OAC_OP_MAX_POOL:
			return pool(op_.body.max_pool);
		case OAC_OP_SOFTMAX:
			return softmax(op_.body.softmax);
		}
		return eltwise(op_.body.eltwise);
	}

private:
	/* Notes one tensor; false via status_ on a bad size or alignment. */
	void tensor(op_plan::role role, std::uint64_t va, std::uint64_t count, std::uint64_t size)
	{
		const access kind = role == op_plan::OUT ? access::write : access::read;

		if (count * size > OAC_TENSOR_BYTES_MAX)
			refuse(OAC_ST_BAD_SHAPE);
		else if (va % size)
			refuse(OAC_ST_BAD_ALIGNMENT);
		plan_.operands[role] = { va, count * size, kind };
	}

	void refuse(std::uint16_t status)
	{
		if (status_ == OAC_ST_SUCCESS)
			status_ = status;
	}

	/* Bias and requantisation, the same for GEMM and CONV2D. */
	void tail(std::uint64_t bias, std::uint64_t requant, std::uint64_t channels,
		  std::uint64_t depth)
	{
		const bool wants_requant = plan_.is_s8 && !plan_.to_s32;

		if (plan_.is_s8 && depth >= S8_DEPTH_END)
			refuse(OAC_ST_BAD_SHAPE);
		if (wants_requant != (requant != 0))
			refuse(OAC_ST_BAD_FIELD);
		if (bias)
			tensor(op_plan::BIAS, bias, channels, sizeof(std::int32_t));
		if (requant)
			tensor(op_plan::REQUANT, requant, plan_.per_channel ? channels : 1,
			       sizeof(oac_requant));
	}

	void work(std::uint64_t units, std::uint64_t macs)
	{
		plan_.units = units;
		plan_.unit_cost = macs;
		if (plan_.is_s8)
			plan_.unit_cost = compute::engine::s8_is_fast() ? macs / S8_SPEEDUP + 1 :
									  macs * S8_SLOWDOWN;
	}

	std::uint64_t out_size() const { return plan_.to_s32 ? sizeof(std::int32_t) : element_; }

	std::uint16_t gemm(const oac_op_gemm &body, unsigned flags)
	{
		if (body.rsvd)
			return OAC_ST_BAD_FIELD;
		if (!is_dim(body.m) || !is_dim(body.n) || !is_dim(body.k))
			return OAC_ST_BAD_SHAPE;
		tensor(op_plan::A, body.a, elements(body.m, body.k), element_);
		tensor(op_plan::B, body.b, elements(body.k, body.n), element_);
		tensor(op_plan::OUT, body.out, elements(body.m, body.n), out_size());
		tail(body.bias, body.requant, body.n, body.k);
		plan_.gemm = { body.m, body.n, body.k, (flags & OAC_OP_TRANS_B) != 0,
			       (flags & OAC_OP_FUSE_RELU) != 0 };
		work(body.m, std::uint64_t{ body.n } * body.k);
		return finish(false);
	}

	std::uint16_t conv(const oac_op_conv2d &body, unsigned flags)
	{
		const std::uint64_t height =
			std::uint64_t{ body.h } + body.pad_top + body.pad_bottom;
		const std::uint64_t width =
			std::uint64_t{ body.w } + body.pad_left + body.pad_right;

		if (body.rsvd)
			return OAC_ST_BAD_FIELD;
		if (!is_dim(body.n) || !is_dim(body.h) || !is_dim(body.w) || !is_dim(body.ic) ||
		    !is_dim(body.oc) || !body.kh || !body.kw || !body.stride_h || !body.stride_w)
			return OAC_ST_BAD_SHAPE;
		if (std::max(body.pad_top, body.pad_bottom) >= body.kh ||
		    std::max(body.pad_left, body.pad_right) >= body.kw || height < body.kh ||
		    width < body.kw)
			return OAC_ST_BAD_SHAPE;
		const std::uint64_t oh = (height - body.kh) / body.stride_h + 1;
		const std::uint64_t ow = (width - body.kw) / body.stride_w + 1;
		if (!is_dim(oh) || !is_dim(ow))
			return OAC_ST_BAD_SHAPE;
		const std::uint64_t depth = elements(body.kh, body.kw, body.ic);
		tensor(op_plan::A, body.in, elements(body.n, body.h, body.w, body.ic), element_);
		tensor(op_plan::B, body.weights, elements(body.oc, body.kh, body.kw, body.ic),
		       element_);
		tensor(op_plan::OUT, body.out, elements(body.n, oh, ow, body.oc), out_size());
		tail(body.bias, body.requant, body.oc, depth);
		plan_.conv = { body.n,
			       body.h,
			       body.w,
			       body.ic,
			       body.oc,
			       body.kh,
			       body.kw,
			       body.stride_h,
			       body.stride_w,
			       body.pad_top,
			       body.pad_bottom,
			       body.pad_left,
			       body.pad_right,
			       oh,
			       ow,
			       (flags & OAC_OP_FUSE_RELU) != 0 };
		work(elements(body.n, oh, ow), body.oc * depth);
		plan_.granule = oh * ow;
		return finish(false);
	}

	std::uint16_t pool(const oac_op_max_pool &body)
	{
		if (body.rsvd)
			return OAC_ST_BAD_FIELD;
		if (!is_dim(body.n) || !is_dim(body.h) || !is_dim(body.w) || !is_dim(body.c) ||
		    !body.kh || !body.kw || !body.stride_h || !body.stride_w || body.kh > body.h ||
		    body.kw > body.w)
			return OAC_ST_BAD_SHAPE;
		const std::uint64_t oh = (body.h - body.kh) / body.stride_h + 1;
		const std::uint64_t ow = (body.w - body.kw) / body.stride_w + 1;
		tensor(op_plan::A, body.in, elements(body.n, body.h, body.w, body.c), element_);
		tensor(op_plan::OUT, body.out, elements(body.n, oh, ow, body.c), element_);
		plan_.pool = { body.n,	body.h,	       body.w,	      body.c, body.kh,
			       body.kw, body.stride_h, body.stride_w, oh,     ow };
		const std::uint64_t line = std::uint64_t{ body.w } * body.c;
		work(body.n * oh, (line * body.kh + ow * body.c * body.kw) * ELEMENT_COST / 4);
		return finish(false);
	}

	std::uint16_t eltwise(const oac_op_eltwise &body)
	{
		const bool is_add = plan_.op == OAC_OP_ADD;

		if (!is_add && body.b)
			return OAC_ST_BAD_FIELD;
		if (body.count == 0 || body.count > OAC_TENSOR_BYTES_MAX)
			return OAC_ST_BAD_SHAPE;
		tensor(op_plan::A, body.a, body.count, element_);
		if (is_add)
			tensor(op_plan::B, body.b, body.count, element_);
		tensor(op_plan::OUT, body.out, body.count, element_);
		work(body.count, ELEMENT_COST);
		return finish(true);
	}

	std::uint16_t softmax(const oac_op_softmax &body)
	{
		if (!is_dim(body.rows) || !is_dim(body.cols))
			return OAC_ST_BAD_SHAPE;
		tensor(op_plan::A, body.in, elements(body.rows, body.cols), element_);
		tensor(op_plan::OUT, body.out, elements(body.rows, body.cols), element_);
		plan_.rows = body.rows;
		plan_.cols = body.cols;
		work(body.rows, body.cols * SOFTMAX_COST);
		return finish(false);
	}

	/* No output over an input, but exactly where the operator allows that. */
	std::uint16_t finish(bool may_write_over)
	{
		const op_plan::operand &out = plan_.operands[op_plan::OUT];

		for (const op_plan::operand &in : plan_.operands) {
			if (&in == &out || in.bytes == 0)
				continue;
			const std::uint64_t ahead = out.va - in.va, behind = in.va - out.va;
			const bool overlaps = ahead < in.bytes || behind < out.bytes;
			if (overlaps && !(may_write_over && in.va == out.va))
				refuse(OAC_ST_BAD_FIELD);
		}
		return status_;
	}

	const oac_op &op_;
	op_plan &plan_;
	std::uint64_t element_ = 0;
	std::uint16_t status_ = OAC_ST_SUCCESS;
};

} // namespace

std::uint16_t plan_operator(const oac_op &op, const firmware &by, op_plan &plan)
{
	const op_rules *rules =
		std::find_if(std::begin(RULES), std::end(RULES),
			     [&](const op_rules &r) { return r.op == op.header.op; });

	if (rules == std::end(RULES) || !by.has_operator(rules->op))
		return OAC_ST_BAD_OP;
	const std::uint16_t status = check_header(op, by, *rules);
	if (status != OAC_ST_SUCCESS)
		return status;
	plan = {};
	return planner(op, plan).run();
}

bool is_valid_requant(const oac_requant *entries, std::size_t count)
{
	constexpr std::uint32_t MULTIPLIER_MAX = INT32_MAX, SHIFT_MAX = 62;

	return std::all_of(entries, entries + count, [&](const oac_requant &entry) {
		return entry.multiplier >= 1 && entry.multiplier <= MULTIPLIER_MAX &&
		       entry.shift >= 1 && entry.shift <= SHIFT_MAX;
	});
}

} // namespace oac::emu
