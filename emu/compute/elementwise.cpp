// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Pooling, relu, add and softmax. All but softmax are plain loops that the compiler vectorises:
// they are bound by memory, and S8 stays exact. Pooling takes the maximum over rows first, then
// over columns, so that a huge window costs no more than its rows.
#include <algorithm>
#include <cmath>

#include "primitives.hpp"
#include "reference.hpp"

namespace oac::compute
{

namespace
{

template <typename Element>
void fold_max(std::size_t count, const Element *from, Element *to)
{
	for (std::size_t i = 0; i < count; i++)
		to[i] = from[i] > to[i] ? from[i] : to[i];
}

/* Scratch that is worth keeping for the next call. */
constexpr std::size_t LINE_KEPT_MAX = std::size_t{ 1 } << 22;

template <typename Element>
void max_pool_any(const pool_shape &s, range rows, const Element *in, Element *out,
		  std::vector<Element> &line)
{
	const std::size_t width = s.w * s.c;

	if (line.size() < width)
		line.resize(width);
	for (std::size_t row = rows.begin; row < rows.end; row++) {
		const Element *top = in + (row / s.oh * s.h + row % s.oh * s.stride_h) * width;
		std::copy_n(top, width, line.data());
		for (std::size_t ky = 1; ky < s.kh; ky++)
			fold_max(width, top + ky * width, line.data());
		Element *to = out + row * s.ow * s.c;
		for (std::size_t ox = 0; ox < s.ow; ox++, to += s.c) {
			const Element *from = line.data() + ox * s.stride_w * s.c;
			std::copy_n(from, s.c, to);
			for (std::size_t kx = 1; kx < s.kw; kx++)
				fold_max(s.c, from + kx * s.c, to);
		}
	}
	if (line.size() > LINE_KEPT_MAX)
		line = {};
}

void build_softmax(std::size_t rows, std::size_t cols, const dnnl::engine &cpu,
		   primitive_entry &entry)
{
	const dnnl::memory::desc desc({ static_cast<dnnl_dim_t>(rows),
					static_cast<dnnl_dim_t>(cols) },
				      dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab);
	const dnnl::softmax_forward::desc wanted(dnnl::prop_kind::forward_inference, desc, 1);

	entry.run = dnnl::softmax_forward(dnnl::softmax_forward::primitive_desc(wanted, cpu));
	entry.memories[0] = dnnl::memory(desc, cpu, nullptr);
	entry.memories[1] = dnnl::memory(desc, cpu, nullptr);
}

} // namespace

void engine::max_pool(const pool_shape &shape, range rows, const float *in, float *out)
{
	max_pool_any(shape, rows, in, out, columns_f32_);
}

void engine::max_pool(const pool_shape &shape, range rows, const std::int8_t *in, std::int8_t *out)
{
	max_pool_any(shape, rows, in, out, columns_s8_);
}

void engine::relu(std::size_t count, const float *in, float *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = in[i] > 0.0f ? in[i] : 0.0f;
}

void engine::relu(std::size_t count, const std::int8_t *in, std::int8_t *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = in[i] > 0 ? in[i] : std::int8_t{ 0 };
}

void engine::add(std::size_t count, const float *a, const float *b, float *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = a[i] + b[i];
}

void engine::add(std::size_t count, const std::int8_t *a, const std::int8_t *b, std::int8_t *out)
{
	for (std::size_t i = 0; i < count; i++)
		out[i] = static_cast<std::int8_t>(std::clamp(a[i] + b[i], -128, 127));
}

void engine::softmax(std::size_t rows, std::size_t cols, const float *in, float *out)
{
	use_one_thread();
	try {
		primitive_entry &entry =
			cache_->get({ 's', rows, cols }, [&](primitive_entry &fresh) {
				build_softmax(rows, cols, cache_->cpu, fresh);
			});
		/* oneDNN takes mutable pointers for inputs too; it does not write to them */
		entry.memories[0].set_data_handle(const_cast<float *>(in));
		entry.memories[1].set_data_handle(out);
		entry.run.execute(cache_->stream, { { DNNL_ARG_SRC, entry.memories[0] },
						    { DNNL_ARG_DST, entry.memories[1] } });
		cache_->stream.wait();
	} catch (const dnnl::error &) {
		reference::softmax(rows, cols, in, out);
	}
}

} // namespace oac::compute
