// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Operators: the API's structs become the card's descriptors (hw/oac_ops.h), one slot per entry of
// the submission ring, so that a slot is free exactly when its entry is. What a firmware can run is
// the card's to say: a combination it does not take comes back as a typed completion.
#include "command.hpp"

namespace accel
{

int refuse_command(const accel_queue *queue, std::uint32_t tag) noexcept
{
	if (!queue)
		return error_literal(EINVAL, "accel_queue_*: the queue is NULL");
	if (tag == OAC_TAG_NONE)
		return error_literal(EINVAL,
				     "accel_queue_*: the tag UINT32_MAX is reserved; use another");
	if (is_foreign(*queue->context->device))
		return error_literal(ENODEV, FOREIGN_TEXT);
	return error_literal(EAGAIN, "accel_queue_*: the queue is full; submit, then reap some");
}

} // namespace accel

namespace
{

constexpr bool is_type(accel_type type)
{
	return type >= ACCEL_TYPE_F32 && type <= ACCEL_TYPE_S32;
}

constexpr std::uint8_t dtype_of(accel_type type)
{
	return static_cast<std::uint8_t>(type == ACCEL_TYPE_F32 ? OAC_DTYPE_F32 :
					 type == ACCEL_TYPE_S8	? OAC_DTYPE_S8 :
								  OAC_DTYPE_S32);
}

constexpr std::uint16_t flag_if(bool is_set, unsigned flag)
{
	return static_cast<std::uint16_t>(is_set ? flag : 0);
}

int refuse_operator(const char *text)
{
	return accel::error_literal(EINVAL, text);
}

/* Writes the descriptor, which fill(op) completes, and the command that points to it. */
template <typename Fill>
int push_operator(accel_queue *queue, std::uint16_t number, accel_type type, accel_type out_type,
		  std::uint32_t tag, const Fill &fill)
{
	if (!is_type(type) || !is_type(out_type)) [[unlikely]]
		return refuse_operator("accel_queue_*: a type is none of enum accel_type");
	return accel::push_command(queue, OAC_CMD_EXEC, tag, [&](oac_cmd &cmd) {
		oac_op &op = queue->ring.next_op();
		op.header.op = number;
		op.header.dtype = dtype_of(type);
		op.header.out_dtype = dtype_of(out_type);
		fill(op);
		cmd.body.exec.va = queue->ring.next_op_va();
		cmd.body.exec.size = sizeof(oac_op);
	});
}

} // namespace

int accel_queue_gemm(accel_queue *queue, const struct accel_gemm *gemm, uint32_t tag)
{
	if (!gemm)
		return refuse_operator("accel_queue_gemm: the operator is NULL");
	return push_operator(queue, OAC_OP_GEMM, gemm->type, gemm->out_type, tag, [&](oac_op &op) {
		op.header.flags = flag_if(gemm->relu, OAC_OP_FUSE_RELU) |
				  flag_if(gemm->b_transposed, OAC_OP_TRANS_B) |
				  flag_if(gemm->per_channel, OAC_OP_PER_CHANNEL);
		oac_op_gemm &to = op.body.gemm;
		to.a = gemm->a;
		to.b = gemm->b;
		to.bias = gemm->bias;
		to.requant = gemm->requant;
		to.out = gemm->out;
		to.m = gemm->m;
		to.n = gemm->n;
		to.k = gemm->k;
	});
}

int accel_queue_conv2d(accel_queue *queue, const struct accel_conv2d *conv, uint32_t tag)
{
	if (!conv)
		return refuse_operator("accel_queue_conv2d: the operator is NULL");
	return push_operator(
		queue, OAC_OP_CONV2D, conv->type, conv->out_type, tag, [&](oac_op &op) {
			op.header.flags = flag_if(conv->relu, OAC_OP_FUSE_RELU) |
					  flag_if(conv->per_channel, OAC_OP_PER_CHANNEL);
			oac_op_conv2d &to = op.body.conv2d;
			to.in = conv->in;
			to.weights = conv->weights;
			to.bias = conv->bias;
			to.requant = conv->requant;
			to.out = conv->out;
			to.n = conv->n;
			to.h = conv->h;
			to.w = conv->w;
			to.ic = conv->ic;
			to.oc = conv->oc;
			to.kh = conv->kh;
			to.kw = conv->kw;
			to.stride_h = conv->stride_h;
			to.stride_w = conv->stride_w;
			to.pad_top = conv->pad_top;
			to.pad_bottom = conv->pad_bottom;
			to.pad_left = conv->pad_left;
			to.pad_right = conv->pad_right;
		});
}

int accel_queue_max_pool(accel_queue *queue, const struct accel_max_pool *pool, uint32_t tag)
{
	if (!pool)
		return refuse_operator("accel_queue_max_pool: the operator is NULL");
	return push_operator(queue, OAC_OP_MAX_POOL, pool->type, pool->type, tag, [&](oac_op &op) {
		oac_op_max_pool &to = op.body.max_pool;
		to.in = pool->in;
		to.out = pool->out;
		to.n = pool->n;
		to.h = pool->h;
		to.w = pool->w;
		to.c = pool->c;
		to.kh = pool->kh;
		to.kw = pool->kw;
		to.stride_h = pool->stride_h;
		to.stride_w = pool->stride_w;
	});
}

int accel_queue_relu(accel_queue *queue, enum accel_type type, uint64_t out, uint64_t a,
		     uint64_t count, uint32_t tag)
{
	return push_operator(queue, OAC_OP_RELU, type, type, tag, [&](oac_op &op) {
		op.body.eltwise.a = a;
		op.body.eltwise.out = out;
		op.body.eltwise.count = count;
	});
}

int accel_queue_add(accel_queue *queue, enum accel_type type, uint64_t out, uint64_t a, uint64_t b,
		    uint64_t count, uint32_t tag)
{
	return push_operator(queue, OAC_OP_ADD, type, type, tag, [&](oac_op &op) {
		op.body.eltwise.a = a;
		op.body.eltwise.b = b;
		op.body.eltwise.out = out;
		op.body.eltwise.count = count;
	});
}

int accel_queue_softmax(accel_queue *queue, uint64_t out, uint64_t in, uint32_t rows, uint32_t cols,
			uint32_t tag)
{
	return push_operator(queue, OAC_OP_SOFTMAX, ACCEL_TYPE_F32, ACCEL_TYPE_F32, tag,
			     [&](oac_op &op) {
				     op.body.softmax.in = in;
				     op.body.softmax.out = out;
				     op.body.softmax.rows = rows;
				     op.body.softmax.cols = cols;
			     });
}
