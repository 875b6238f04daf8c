/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 4: operators run by OAC_CMD_EXEC.
 *
 * Tensors are dense, row-major, channels last (NHWC); addresses are device addresses aligned to
 * the element size. No output may overlap an input, except that relu and add may write over an
 * input exactly.
 *
 * Numerics
 *  - S8 operators accumulate in 32-bit integers, wrap-free as long as K * 128 * 128 < 2^31, which
 *    the card checks (BAD_SHAPE); bias is added modulo 2^32. Requantisation is exact integer
 *    arithmetic:
 *        q = clamp((acc * multiplier + 2^(shift-1)) >> shift, lo, 127)
 *    in 64 bits with an arithmetic shift, lo = 0 with OAC_OP_FUSE_RELU, else -128. So every S8 answer
 *    is bit-exact.
 *  - F32 operators: order of accumulation is not fixed; |error| <= K * 2^-23 * sum(|a*b|) per
 *    element (softmax: 2^-18 relative).
 */
#ifndef OAC_HW_OPS_H
#define OAC_HW_OPS_H

#include "oac_types.h"

#define OAC_OP_GEMM		0x01
#define OAC_OP_CONV2D		0x02
#define OAC_OP_MAX_POOL		0x03
#define OAC_OP_RELU		0x04	/* body.eltwise, b unused (0) */
#define OAC_OP_ADD		0x05	/* body.eltwise; S8 saturates */
#define OAC_OP_SOFTMAX		0x06	/* F32 only */
#define OAC_OPS(X) X(GEMM) X(CONV2D) X(MAX_POOL) X(RELU) X(ADD) X(SOFTMAX)

#define OAC_DTYPE_F32		0x1
#define OAC_DTYPE_S8		0x2
#define OAC_DTYPE_S32		0x3	/* as output of S8 GEMM and CONV2D: the plain accumulator */
#define OAC_DTYPES(X) X(F32) X(S8) X(S32)

/* Flags of struct oac_op_header; which operator takes which is said there. */
#define OAC_OP_FUSE_RELU	0x1u	/* GEMM, CONV2D: max(0, x) last */
#define OAC_OP_TRANS_B		0x2u	/* GEMM: b is stored [n][k], else [k][n] */
#define OAC_OP_PER_CHANNEL	0x4u	/* GEMM, CONV2D, S8 out: one oac_requant per column / channel, else one */

struct oac_op_header {
	__le16 op;		/* OAC_OP_* */
	__le16 flags;
	__u8 dtype;		/* inputs */
	__u8 out_dtype;
	__le16 rsvd;
};

/* S8 -> S8 requantisation; both positive. */
struct oac_requant {
	__le32 multiplier;	/* 1 .. 2^31-1 */
	__le32 shift;		/* 1 .. 62 */
};
OAC_ASSERT_SIZE(struct oac_requant, 8);

/* out[m][n] = act(a[m][k] * b[k][n] + bias[n]) */
struct oac_op_gemm {
	__le64 a;
	__le64 b;
	__le64 bias;		/* F32: F32[n]; S8: S32[n]; 0 = none */
	__le64 requant;		/* struct oac_requant[n or 1]; only for S8 out, else 0 */
	__le64 out;
	__le32 m, n, k;		/* 1..OAC_DIM_MAX */
	__le32 rsvd;
};

/* out[n][oh][ow][oc], weights [oc][kh][kw][ic]; oh = (h + pad_top + pad_bottom - kh) / stride_h + 1 */
struct oac_op_conv2d {
	__le64 in;
	__le64 weights;
	__le64 bias;		/* as GEMM, [oc] */
	__le64 requant;
	__le64 out;
	__le32 n, h, w, ic, oc;
	__le16 kh, kw, stride_h, stride_w;
	__le16 pad_top, pad_bottom, pad_left, pad_right;	/* zeros; each < kernel */
	__le32 rsvd;
};

/* No padding; windows that do not fit are left out. out[n][(h-kh)/stride_h+1][(w-kw)/stride_w+1][c] */
struct oac_op_max_pool {
	__le64 in;
	__le64 out;
	__le32 n, h, w, c;
	__le16 kh, kw, stride_h, stride_w;
	__le64 rsvd;
};

struct oac_op_eltwise {
	__le64 a;
	__le64 b;
	__le64 out;
	__le64 count;		/* elements */
};

struct oac_op_softmax {
	__le64 in;
	__le64 out;
	__le32 rows, cols;
};

/* What OAC_CMD_EXEC points to. Bytes behind the operator's own struct are zero. */
struct oac_op {
	struct oac_op_header header;
	union {
		struct oac_op_gemm gemm;
		struct oac_op_conv2d conv2d;
		struct oac_op_max_pool max_pool;
		struct oac_op_eltwise eltwise;
		struct oac_op_softmax softmax;
		__u8 bytes[120];
	} body;
};
OAC_ASSERT_SIZE(struct oac_op, 128);
OAC_ASSERT_OFFSET(struct oac_op, body, 8);

#define OAC_DIM_MAX		0x10000u	/* any single dimension */
#define OAC_TENSOR_BYTES_MAX	0x40000000ull	/* any single tensor */

#endif
