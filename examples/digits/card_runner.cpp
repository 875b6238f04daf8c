// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "card_runner.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>

namespace digits
{
namespace
{

constexpr std::size_t alignment = 64;
constexpr unsigned queue_depth = 16;

constexpr std::size_t aligned(std::size_t bytes)
{
	return (bytes + alignment - 1) / alignment * alignment;
}

std::size_t layer_bytes(const quantised_layer &layer)
{
	return aligned(layer.weights.size()) + aligned(layer.bias.size() * sizeof(std::int32_t)) +
	       aligned(layer.requant.size() * sizeof(accel_requant));
}

constexpr std::size_t slot_bytes(std::size_t batch)
{
	return aligned(batch * image_pixels) + aligned(batch * conv1_shape.outputs()) +
	       aligned(batch * conv1_shape.outputs() / 4) + aligned(batch * conv2_shape.outputs()) +
	       aligned(batch * fc_inputs) + aligned(batch * class_count * sizeof(std::int32_t));
}

} // namespace

std::size_t card_runner::bytes_needed(const quantised_network &net, std::size_t batch)
{
	return layer_bytes(net.conv1) + layer_bytes(net.conv2) + layer_bytes(net.fc) +
	       slot_count * slot_bytes(batch);
}

card_runner::card_runner(const accel::device &device, const quantised_network &net,
			 std::size_t batch)
	: batch_(batch), context_(device), memory_(device, bytes_needed(net, batch)),
	  mapping_(context_, memory_), queue_(context_, queue_depth), conv1_(upload(net.conv1)),
	  conv2_(upload(net.conv2)), fc_(upload(net.fc)), slots_{ make_slot(), make_slot() }
{
}

std::size_t card_runner::take(std::size_t bytes)
{
	const std::size_t offset = used_;
	used_ += aligned(bytes);
	return offset;
}

std::uint64_t card_runner::address(std::size_t offset) const
{
	return mapping_.address() + offset;
}

card_runner::layer_addresses card_runner::upload(const quantised_layer &layer)
{
	const auto place = [&](const auto &values) -> std::uint64_t {
		if (values.empty())
			return 0;
		const std::size_t bytes = values.size() * sizeof(values[0]);
		const std::size_t offset = take(bytes);
		std::memcpy(memory_.bytes().data() + offset, values.data(), bytes);
		return address(offset);
	};

	const std::uint64_t weights_at = place(layer.weights), bias_at = place(layer.bias);
	return { weights_at, bias_at, place(layer.requant) };
}

card_runner::slot card_runner::make_slot()
{
	const std::size_t input = take(batch_ * image_pixels);
	const std::size_t out = take(batch_ * class_count * sizeof(std::int32_t));
	std::byte *host = memory_.bytes().data();
	slot result{};

	result.input = address(input);
	result.conv1 = address(take(batch_ * conv1_shape.outputs()));
	result.pool1 = address(take(batch_ * conv1_shape.outputs() / 4));
	result.conv2 = address(take(batch_ * conv2_shape.outputs()));
	result.pool2 = address(take(batch_ * fc_inputs));
	result.out = address(out);
	result.host_input = reinterpret_cast<std::int8_t *>(host + input);
	result.host_out = reinterpret_cast<std::int32_t *>(host + out);
	return result;
}

void card_runner::push_convolution(const conv_shape &shape, const layer_addresses &use,
				   std::uint64_t in, std::uint64_t out, std::size_t count,
				   std::uint32_t tag)
{
	accel::conv2d conv{};

	conv.type = ACCEL_TYPE_S8;
	conv.out_type = ACCEL_TYPE_S8;
	conv.in = in;
	conv.weights = use.weights;
	conv.bias = use.bias;
	conv.requant = use.requant;
	conv.out = out;
	conv.n = static_cast<std::uint32_t>(count);
	conv.h = conv.w = static_cast<std::uint32_t>(shape.side);
	conv.ic = static_cast<std::uint32_t>(shape.in_channels);
	conv.oc = static_cast<std::uint32_t>(shape.out_channels);
	conv.kh = conv.kw = 3;
	conv.stride_h = conv.stride_w = 1;
	conv.pad_top = conv.pad_bottom = conv.pad_left = conv.pad_right = 1;
	conv.relu = 1;
	conv.per_channel = 1;
	accel::check(queue_.try_exec(conv, tag));
}

void card_runner::push_pool(const conv_shape &shape, std::uint64_t in, std::uint64_t out,
			    std::size_t count, std::uint32_t tag)
{
	accel::max_pool pool{};

	pool.type = ACCEL_TYPE_S8;
	pool.in = in;
	pool.out = out;
	pool.n = static_cast<std::uint32_t>(count);
	pool.h = pool.w = static_cast<std::uint32_t>(shape.side);
	pool.c = static_cast<std::uint32_t>(shape.out_channels);
	pool.kh = pool.kw = pool.stride_h = pool.stride_w = 2;
	accel::check(queue_.try_exec(pool, tag));
}

void card_runner::push_dense(const slot &use, std::uint32_t tag)
{
	accel::gemm gemm{};

	gemm.type = ACCEL_TYPE_S8;
	gemm.out_type = ACCEL_TYPE_S32;
	gemm.a = use.pool2;
	gemm.b = fc_.weights;
	gemm.bias = fc_.bias;
	gemm.out = use.out;
	gemm.m = static_cast<std::uint32_t>(use.images.size());
	gemm.n = class_count;
	gemm.k = fc_inputs;
	gemm.b_transposed = 1;
	accel::check(queue_.try_exec(gemm, tag));
}

void card_runner::start(std::size_t index, std::span<const image> images)
{
	slot &use = slots_[index];
	std::int8_t *to = use.host_input;

	use.images = images;
	for (const auto &image : images)
		to = std::transform(image.pixels.begin(), image.pixels.end(), to, quantise_pixel);

	const auto tag = [&](step which) {
		return static_cast<std::uint32_t>(index) * layer_count + which;
	};
	const std::size_t n = images.size();
	push_convolution(conv1_shape, conv1_, use.input, use.conv1, n, tag(conv1));
	push_pool(conv1_shape, use.conv1, use.pool1, n, tag(pool1));
	push_convolution(conv2_shape, conv2_, use.pool1, use.conv2, n, tag(conv2));
	push_pool(conv2_shape, use.conv2, use.pool2, n, tag(pool2));
	push_dense(use, tag(fc));
	accel::check(queue_.submit());
}

void card_runner::finish(std::size_t index, std::vector<logits> &results)
{
	slot &use = slots_[index];
	const auto last = static_cast<std::uint32_t>(index) * layer_count + fc;
	accel::completion done{};

	do {
		accel::check(queue_.wait({ &done, 1 }));
		if (done.result)
			throw std::system_error(
				-done.result, std::generic_category(),
				"command " + std::to_string(done.tag % layer_count) +
					" of the network: " + accel_code_text(done.code));
	} while (done.tag != last);

	for (std::size_t i = 0; i < use.images.size(); i++) {
		logits &result = results.emplace_back();
		std::copy_n(use.host_out + i * class_count, class_count, result.begin());
	}
	use.images = {};
}

std::vector<logits> card_runner::run(std::span<const image> images)
{
	std::vector<logits> results;
	std::size_t started = 0, index = 0;

	results.reserve(images.size());
	/* The slot to fill next is also the oldest in flight: batches finish in order. */
	while (results.size() < images.size()) {
		if (!slots_[index].images.empty())
			finish(index, results);
		const std::size_t count = std::min(batch_, images.size() - started);
		if (count)
			start(index, images.subspan(started, count));
		started += count;
		index = (index + 1) % slot_count;
	}
	return results;
}

} // namespace digits
