// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Convolution. Whole F32 images of ordinary size run as a oneDNN convolution; slices of images and
// all of S8 unroll their windows into rows and multiply, which is exact where oneDNN's own S8
// convolution rounds sums above 2^24. Windows too big to unroll take the plain loops.
#include "gemm.hpp"

#include <algorithm>
#include <cstring>

#include "primitives.hpp"
#include "reference.hpp"

namespace oac::compute
{

namespace
{

using dims = dnnl::memory::dims;
using tag = dnnl::memory::format_tag;

constexpr std::size_t COLUMN_ELEMENTS_MAX = std::size_t{ 1 } << 20;
constexpr std::size_t DEPTH_MAX = std::size_t{ 1 } << 22;
constexpr std::size_t PRIMITIVE_ELEMENTS_MAX = std::size_t{ 1 } << 26;

dnnl_dim_t dim(std::size_t value)
{
	return static_cast<dnnl_dim_t>(value);
}

/* A 1x1 convolution with nothing left out is a GEMM on the tensors as they are. */
bool is_gemm(const conv_shape &s)
{
	return s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 &&
	       !(s.pad_top | s.pad_bottom | s.pad_left | s.pad_right);
}

/* One kernel row of one pixel: kw * ic elements, zeros where it hangs over the image. */
template <typename Element>
void unroll_row(const conv_shape &s, const Element *image_row, std::size_t x0, Element *to)
{
	const std::size_t first = std::min(s.kw, s.pad_left > x0 ? s.pad_left - x0 : 0);
	const std::size_t end = s.w + s.pad_left > x0 ? s.w + s.pad_left - x0 : 0;
	const std::size_t last = std::max(first, std::min(s.kw, end));

	std::fill_n(to, first * s.ic, Element{});
	if (last > first)
		std::memcpy(to + first * s.ic, image_row + (x0 + first - s.pad_left) * s.ic,
			    (last - first) * s.ic * sizeof(Element));
	std::fill_n(to + last * s.ic, (s.kw - last) * s.ic, Element{});
}

template <typename Element>
void unroll(const conv_shape &s, range pixels, const Element *in, Element *to)
{
	for (std::size_t pixel = pixels.begin; pixel < pixels.end; pixel++) {
		const std::size_t image = pixel / (s.oh * s.ow);
		const std::size_t y0 = pixel / s.ow % s.oh * s.stride_h;
		const std::size_t x0 = pixel % s.ow * s.stride_w;
		for (std::size_t ky = 0; ky < s.kh; ky++, to += s.kw * s.ic) {
			const std::size_t y = y0 + ky;
			if (y < s.pad_top || y - s.pad_top >= s.h)
				std::fill_n(to, s.kw * s.ic, Element{});
			else
				unroll_row(s, in + (image * s.h + y - s.pad_top) * s.w * s.ic, x0,
					   to);
		}
	}
}

/* Calls multiply(rows, pixels) for blocks of unrolled windows. */
template <typename Element, typename Multiply>
void for_each_block(const conv_shape &s, range pixels, const Element *in,
		    std::vector<Element> &columns, Multiply multiply)
{
	if (is_gemm(s)) {
		multiply(in + pixels.begin * s.ic, pixels);
		return;
	}
	const std::size_t block = std::max<std::size_t>(COLUMN_ELEMENTS_MAX / s.depth(), 1);
	const std::size_t rows = std::min(block, pixels.end - pixels.begin);
	if (columns.size() < rows * s.depth())
		columns.resize(rows * s.depth());
	for (std::size_t at = pixels.begin; at < pixels.end; at += block) {
		const range part = { at, std::min(at + block, pixels.end) };
		unroll(s, part, in, columns.data());
		multiply(columns.data(), part);
	}
}

void build_convolution(const conv_shape &s, const dnnl::engine &cpu, primitive_entry &entry)
{
	using desc = dnnl::memory::desc;
	const auto f32 = dnnl::memory::data_type::f32;
	const dims in = { dim(s.n), dim(s.ic), dim(s.h), dim(s.w) };
	const dims weights = { dim(s.oc), dim(s.ic), dim(s.kh), dim(s.kw) };
	const dims out = { dim(s.n), dim(s.oc), dim(s.oh), dim(s.ow) };
	const desc in_desc(in, f32, tag::nhwc), out_desc(out, f32, tag::nhwc);
	/* Padding below and right may be more than the last window needs. */
	const std::size_t below = (s.oh - 1) * s.stride_h + s.kh - s.h - s.pad_top;
	const std::size_t right = (s.ow - 1) * s.stride_w + s.kw - s.w - s.pad_left;

	const dnnl::convolution_forward::desc wanted(
		dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, in_desc,
		desc(weights, f32, tag::any), out_desc, { dim(s.stride_h), dim(s.stride_w) },
		{ dim(s.pad_top), dim(s.pad_left) }, { dim(below), dim(right) });
	const dnnl::convolution_forward::primitive_desc pd(wanted, cpu);

	entry.run = dnnl::convolution_forward(pd);
	entry.memories = { dnnl::memory(in_desc, cpu, nullptr),
			   dnnl::memory(pd.weights_desc(), cpu, nullptr),
			   dnnl::memory(out_desc, cpu, nullptr) };
	const desc plain(weights, f32, tag::ohwi);
	entry.packs = pd.weights_desc() != plain;
	if (entry.packs) {
		entry.plain_weights = dnnl::memory(plain, cpu, nullptr);
		entry.memories[1] = dnnl::memory(pd.weights_desc(), cpu);
		entry.pack = dnnl::reorder(entry.plain_weights, entry.memories[1]);
	}
}

/* oneDNN takes float pointers for inputs too; it does not write to those. */
void set_data(dnnl::memory &memory, const float *data)
{
	memory.set_data_handle(const_cast<float *>(data));
}

void run_convolution(primitive_entry &entry, dnnl::stream &stream, const float *in,
		     const float *weights, float *out)
{
	if (entry.packs) {
		set_data(entry.plain_weights, weights);
		entry.pack.execute(stream, { { DNNL_ARG_FROM, entry.plain_weights },
					     { DNNL_ARG_TO, entry.memories[1] } });
	} else {
		set_data(entry.memories[1], weights);
	}
	set_data(entry.memories[0], in);
	set_data(entry.memories[2], out);
	entry.run.execute(stream, { { DNNL_ARG_SRC, entry.memories[0] },
				    { DNNL_ARG_WEIGHTS, entry.memories[1] },
				    { DNNL_ARG_DST, entry.memories[2] } });
	stream.wait();
}

bool fits_primitive(const conv_shape &s, range pixels)
{
	const std::size_t image = s.oh * s.ow;

	return pixels.begin % image == 0 && pixels.end % image == 0 &&
	       (s.oh - 1) * s.stride_h + s.kh >= s.h + s.pad_top &&
	       (s.ow - 1) * s.stride_w + s.kw >= s.w + s.pad_left &&
	       s.oc * s.depth() <= PRIMITIVE_ELEMENTS_MAX &&
	       (pixels.end - pixels.begin) * s.depth() <= PRIMITIVE_ELEMENTS_MAX;
}

std::array<std::size_t, 16> key_of(const conv_shape &s)
{
	return { 'c',	       s.n,	   s.h,	 s.w,	     s.ic,	 s.oc,
		 s.kh,	       s.kw,	   s.oh, s.stride_h, s.stride_w, s.pad_top,
		 s.pad_bottom, s.pad_left, s.ow, s.pad_right };
}

} // namespace

void engine::conv_f32(const conv_shape &s, range pixels, const float *in, const float *weights,
		      const float *bias, float *out)
{
	use_one_thread();
	float *to = out + pixels.begin * s.oc;
	if (fits_primitive(s, pixels)) {
		conv_shape part = s;
		part.n = (pixels.end - pixels.begin) / (s.oh * s.ow);
		try {
			primitive_entry &entry =
				cache_->get(key_of(part), [&](primitive_entry &fresh) {
					build_convolution(part, cache_->cpu, fresh);
				});
			const std::size_t image = pixels.begin / (s.oh * s.ow);
			run_convolution(entry, cache_->stream, in + image * s.h * s.w * s.ic,
					weights, to);
			finish_f32(pixels.end - pixels.begin, s.oc, s.relu, bias, to);
			return;
		} catch (const dnnl::error &) {
			/* a shape oneDNN has no convolution for: unroll */
		}
	}
	if (s.depth() > DEPTH_MAX) {
		reference::conv_f32(s, pixels, in, weights, bias, out);
		return;
	}
	for_each_block(s, pixels, in, columns_f32_, [&](const float *rows, range part) {
		const gemm_shape shape = { part.end - part.begin, s.oc, s.depth(), true, s.relu };
		gemm_f32(shape, rows, weights, bias, out + part.begin * s.oc);
	});
}

void engine::conv_s8(const conv_shape &s, range pixels, const std::int8_t *in,
		     const std::int8_t *weights, const std::int32_t *bias, const s8_output &out)
{
	for_each_block(s, pixels, in, columns_s8_, [&](const std::int8_t *rows, range part) {
		const gemm_shape shape = { part.end - part.begin, s.oc, s.depth(), true, s.relu };
		gemm_s8(shape, rows, weights, bias, rows_from(out, part.begin * s.oc));
	});
}

} // namespace oac::compute
