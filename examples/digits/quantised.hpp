// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The int8 network: made from the floating-point one by symmetric post-training quantisation, with
// activation ranges taken from training images. Also the host's own bit-exact execution of it, in
// plain loops that share nothing with the card.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <accel/accel.h>

#include "network.hpp"

namespace digits
{

struct quantised_layer {
	std::vector<std::int8_t> weights;
	std::vector<std::int32_t> bias;
	std::vector<accel_requant> requant;	/* per output channel; empty: plain accumulators */
};

struct quantised_network {
	quantised_layer conv1, conv2, fc;
};

/* Pixel values 0..16 to int8 0..112. */
constexpr std::int8_t quantise_pixel(std::uint8_t pixel)
{
	return static_cast<std::int8_t>(pixel * 7);
}

using logits = std::array<std::int32_t, class_count>;

quantised_network quantise(const network &net, std::span<const image> calibration);
logits infer(const quantised_network &net, const image &image);
std::size_t winner(const logits &values);

} // namespace digits
