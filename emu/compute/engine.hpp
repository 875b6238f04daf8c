// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The engines' arithmetic: one function per operator of include/hw/oac_ops.h, on plain pointers
// and dimensions that the caller has validated. Matrix work is done by oneDNN on the calling
// thread; integer requantisation is ours and exact. It knows neither cards nor device addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <hw/oac_ops.h>

namespace oac::compute
{

/* out[m][n] = a[m][k] * b; b is [k][n], or [n][k] with trans_b. */
struct gemm_shape {
	std::size_t m, n, k;
	bool trans_b = false;
	bool relu = false;
};

/* oh and ow follow from the rest; NHWC, weights [oc][kh][kw][ic]. */
struct conv_shape {
	std::size_t n, h, w, ic, oc;
	std::size_t kh, kw, stride_h, stride_w;
	std::size_t pad_top, pad_bottom, pad_left, pad_right;
	std::size_t oh, ow;
	bool relu = false;

	std::size_t depth() const { return kh * kw * ic; }
	std::size_t pixels() const { return n * oh * ow; }
};

struct pool_shape {
	std::size_t n, h, w, c;
	std::size_t kh, kw, stride_h, stride_w;
	std::size_t oh, ow;
};

/* Where S8 accumulators go: to s32 as they are, or through requant to s8. */
struct s8_output {
	const oac_requant *requant = nullptr; /* private to the caller, validated; with s8 */
	bool per_channel = false; /* one requant per column, else one */
	std::int8_t *s8 = nullptr;
	std::int32_t *s32 = nullptr;
};

/* Half-open range of output rows, pixels or elements: long work is done in slices. */
struct range {
	std::size_t begin, end;
};

class engine
{
public:
	engine();
	~engine();
	engine(const engine &) = delete;
	engine &operator=(const engine &) = delete;

	/* bias may be null everywhere. */
	void gemm_f32(const gemm_shape &shape, const float *a, const float *b, const float *bias,
		      float *out);
	void gemm_s8(const gemm_shape &shape, const std::int8_t *a, const std::int8_t *b,
		     const std::int32_t *bias, const s8_output &out);

	/* Pixels are numbered over n, oh, ow; in and out are the whole tensors. */
	void conv_f32(const conv_shape &shape, range pixels, const float *in, const float *weights,
		      const float *bias, float *out);
	void conv_s8(const conv_shape &shape, range pixels, const std::int8_t *in,
		     const std::int8_t *weights, const std::int32_t *bias, const s8_output &out);

	/* Rows are numbered over n, oh. */
	void max_pool(const pool_shape &shape, range rows, const float *in, float *out);
	void max_pool(const pool_shape &shape, range rows, const std::int8_t *in, std::int8_t *out);

	void relu(std::size_t count, const float *in, float *out);
	void relu(std::size_t count, const std::int8_t *in, std::int8_t *out);
	void add(std::size_t count, const float *a, const float *b, float *out);
	void add(std::size_t count, const std::int8_t *a, const std::int8_t *b, std::int8_t *out);
	void softmax(std::size_t rows, std::size_t cols, const float *in, float *out);

	/* false: oneDNN's 8-bit products are not exact on this CPU, the plain loops run instead. */
	static bool s8_is_fast();

	struct cache; /* private to emu/compute */

private:
	void accumulate_s8(const gemm_shape &shape, const std::int8_t *a, const std::int8_t *b,
			   std::int32_t *acc);

	std::unique_ptr<cache> cache_;
	std::vector<std::int32_t> acc_; /* accumulators of one block of rows */
	std::vector<float> columns_f32_; /* unrolled convolution windows */
	std::vector<std::int8_t> columns_s8_;
};

} // namespace oac::compute
