// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The floating-point network: two 3x3 convolutions with ReLU and 2x2 max-pooling, then a fully
// connected layer. Trained on the host by plain stochastic gradient descent with a fixed seed.
// Layouts are the card's: images channels last, convolution weights [oc][kh][kw][ic].
#pragma once

#include <cstdint>
#include <vector>

#include "dataset.hpp"

namespace digits
{

struct conv_shape {
	std::size_t side, in_channels, out_channels;	/* 3x3, padding 1, stride 1 */

	constexpr std::size_t weights() const { return out_channels * 9 * in_channels; }
	constexpr std::size_t outputs() const { return side * side * out_channels; }
};

constexpr conv_shape conv1_shape = { image_side, 1, 8 };
constexpr conv_shape conv2_shape = { image_side / 2, 8, 16 };
constexpr std::size_t fc_inputs = (image_side / 4) * (image_side / 4) * conv2_shape.out_channels;

struct network {
	std::vector<float> conv1_weights, conv1_bias;
	std::vector<float> conv2_weights, conv2_bias;
	std::vector<float> fc_weights, fc_bias;		/* [class][input] */
};

/* What each layer put out for one image; pooled values remember where they came from. */
struct activations {
	std::vector<float> input, conv1, pool1, conv2, pool2, logits;
	std::vector<std::size_t> pool1_from, pool2_from;
};

struct training_options {
	unsigned epochs = 16;
	unsigned batch = 16;
	float rate = 0.02f;
	float momentum = 0.9f;
	std::uint32_t seed = 20210714;
};

network train(const std::vector<image> &images, const training_options &options);
activations forward(const network &net, const image &image);
std::size_t classify(const network &net, const image &image);

} // namespace digits
