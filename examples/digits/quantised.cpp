// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "quantised.hpp"

#include <algorithm>
#include <cmath>

namespace digits
{
namespace
{

constexpr float int8_top = 127.0f;
constexpr float pixel_scale = 1.0f / (7 * pixel_max);	/* real value of one int8 step of a pixel */

float largest_magnitude(std::span<const float> values)
{
	float result = 0;
	for (float value : values)
		result = std::max(result, std::fabs(value));
	return result;
}

std::int8_t to_int8(float value)
{
	return static_cast<std::int8_t>(std::clamp(std::lround(value), -127l, 127l));
}

/* factor = multiplier / 2^shift with a multiplier of full 31 bits. */
accel_requant to_requant(double factor)
{
	int exponent = 0;
	const double mantissa = std::frexp(factor, &exponent);	/* [0.5, 1) */
	auto multiplier = static_cast<std::int64_t>(std::llround(std::ldexp(mantissa, 31)));

	if (multiplier == std::int64_t{ 1 } << 31) {
		multiplier /= 2;
		exponent++;
	}
	return { static_cast<std::int32_t>(multiplier), static_cast<std::uint32_t>(31 - exponent) };
}

/* One scale per output channel; weights are [channel][...]. */
quantised_layer quantise_layer(std::span<const float> weights, std::span<const float> bias,
			       float in_scale, float out_scale)
{
	const std::size_t per_channel = weights.size() / bias.size();
	quantised_layer layer;

	for (std::size_t c = 0; c < bias.size(); c++) {
		const auto own = weights.subspan(c * per_channel, per_channel);
		const float scale = std::max(largest_magnitude(own), 1e-6f) / int8_top;
		for (float weight : own)
			layer.weights.push_back(to_int8(weight / scale));
		layer.bias.push_back(
			static_cast<std::int32_t>(std::lround(bias[c] / (scale * in_scale))));
		layer.requant.push_back(
			to_requant(static_cast<double>(scale) * in_scale / out_scale));
	}
	return layer;
}

/* The last layer keeps its accumulators; one scale for all classes makes them comparable. */
quantised_layer quantise_last(std::span<const float> weights, std::span<const float> bias,
			      float in_scale)
{
	const float scale = largest_magnitude(weights) / int8_top;
	quantised_layer layer;

	for (float weight : weights)
		layer.weights.push_back(to_int8(weight / scale));
	for (float value : bias)
		layer.bias.push_back(
			static_cast<std::int32_t>(std::lround(value / (scale * in_scale))));
	return layer;
}

std::int8_t requantise(std::int32_t accumulator, const accel_requant &by)
{
	const std::int64_t rounding = std::int64_t{ 1 } << (by.shift - 1);
	const std::int64_t value =
		(static_cast<std::int64_t>(accumulator) * by.multiplier + rounding) >> by.shift;
	return static_cast<std::int8_t>(std::clamp<std::int64_t>(value, 0, 127));	/* with ReLU */
}

/* One output value; taps outside the image count as zero. */
std::int8_t convolve_at(const conv_shape &shape, const quantised_layer &layer,
			const std::vector<std::int8_t> &in, std::size_t y, std::size_t x,
			std::size_t out_channel)
{
	const std::size_t side = shape.side, ic = shape.in_channels;
	std::int32_t sum = layer.bias[out_channel];

	for (std::size_t tap = 0; tap < 9; tap++) {
		const std::size_t iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
		if (iy >= side || ix >= side)	/* -1 wraps to a large number */
			continue;
		for (std::size_t i = 0; i < ic; i++)
			sum += in[(iy * side + ix) * ic + i] *
			       layer.weights[(out_channel * 9 + tap) * ic + i];
	}
	return requantise(sum, layer.requant[out_channel]);
}

std::vector<std::int8_t> conv_relu(const conv_shape &shape, const quantised_layer &layer,
				   const std::vector<std::int8_t> &in)
{
	std::vector<std::int8_t> out;

	out.reserve(shape.outputs());
	for (std::size_t y = 0; y < shape.side; y++)
		for (std::size_t x = 0; x < shape.side; x++)
			for (std::size_t o = 0; o < shape.out_channels; o++)
				out.push_back(convolve_at(shape, layer, in, y, x, o));
	return out;
}

std::vector<std::int8_t> max_pool(std::size_t side, std::size_t channels,
				  const std::vector<std::int8_t> &in)
{
	std::vector<std::int8_t> out;

	for (std::size_t y = 0; y < side; y += 2)
		for (std::size_t x = 0; x < side; x += 2)
			for (std::size_t c = 0; c < channels; c++) {
				const std::size_t corner = (y * side + x) * channels + c;
				const std::size_t below = corner + side * channels;
				out.push_back(std::max({ in[corner], in[corner + channels],
							 in[below], in[below + channels] }));
			}
	return out;
}

} // namespace

quantised_network quantise(const network &net, std::span<const image> calibration)
{
	float conv1_top = 0, conv2_top = 0;

	for (const auto &image : calibration) {
		const activations act = forward(net, image);
		conv1_top = std::max(conv1_top, largest_magnitude(act.conv1));
		conv2_top = std::max(conv2_top, largest_magnitude(act.conv2));
	}

	const float conv1_scale = conv1_top / int8_top, conv2_scale = conv2_top / int8_top;
	return {
		quantise_layer(net.conv1_weights, net.conv1_bias, pixel_scale, conv1_scale),
		quantise_layer(net.conv2_weights, net.conv2_bias, conv1_scale, conv2_scale),
		quantise_last(net.fc_weights, net.fc_bias, conv2_scale),
	};
}

logits infer(const quantised_network &net, const image &image)
{
	std::vector<std::int8_t> values;
	for (std::uint8_t pixel : image.pixels)
		values.push_back(quantise_pixel(pixel));

	values = conv_relu(conv1_shape, net.conv1, values);
	values = max_pool(conv1_shape.side, conv1_shape.out_channels, values);
	values = conv_relu(conv2_shape, net.conv2, values);
	values = max_pool(conv2_shape.side, conv2_shape.out_channels, values);

	logits result{};
	for (std::size_t c = 0; c < class_count; c++) {
		result[c] = net.fc.bias[c];
		for (std::size_t i = 0; i < fc_inputs; i++)
			result[c] += values[i] * net.fc.weights[c * fc_inputs + i];
	}
	return result;
}

std::size_t winner(const logits &values)
{
	return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) -
					values.begin());
}

} // namespace digits
