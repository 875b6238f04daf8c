// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The int8 network on one card: its weights, two batches in flight, and the five commands that a
// batch takes. One thread drives one runner.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <accel/accel.hpp>

#include "quantised.hpp"

namespace digits
{

class card_runner
{
public:
	/* batch: images per batch of commands. Throws std::system_error. */
	card_runner(const accel::device &device, const quantised_network &net, std::size_t batch);

	/* One logits per image, in order. Throws std::system_error, naming the command that failed. */
	std::vector<logits> run(std::span<const image> images);

private:
	struct layer_addresses {
		std::uint64_t weights, bias, requant;
	};
	struct slot {
		std::uint64_t input, conv1, pool1, conv2, pool2, out;	/* device addresses */
		std::int8_t *host_input;
		std::int32_t *host_out;
		std::span<const image> images;	/* in flight; empty when idle */
	};
	enum step : std::uint32_t { conv1, pool1, conv2, pool2, fc, layer_count };
	static constexpr std::size_t slot_count = 2;

	/* Hands out aligned parts of the one buffer. */
	std::size_t take(std::size_t bytes);
	std::uint64_t address(std::size_t offset) const;
	layer_addresses upload(const quantised_layer &layer);
	slot make_slot();
	static std::size_t bytes_needed(const quantised_network &net, std::size_t batch);

	void start(std::size_t index, std::span<const image> images);
	void finish(std::size_t index, std::vector<logits> &results);
	void push_convolution(const conv_shape &shape, const layer_addresses &use, std::uint64_t in,
			      std::uint64_t out, std::size_t count, std::uint32_t tag);
	void push_pool(const conv_shape &shape, std::uint64_t in, std::uint64_t out,
		       std::size_t count, std::uint32_t tag);
	void push_dense(const slot &use, std::uint32_t tag);

	std::size_t batch_, used_ = 0;
	accel::context context_;
	accel::buffer memory_;
	accel::mapping mapping_;
	accel::queue queue_;
	layer_addresses conv1_, conv2_, fc_;
	slot slots_[slot_count];
};

} // namespace digits
