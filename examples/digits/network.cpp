// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <span>

namespace digits
{
namespace
{

/*
 * Calls visit(output index, input index, weight index) for each multiplication of a 3x3
 * convolution with padding 1: forward and backward are the same walk.
 */
template <typename Visit>
void walk_conv(const conv_shape &shape, Visit visit)
{
	const std::size_t side = shape.side, ic = shape.in_channels, oc = shape.out_channels;

	for (std::size_t y = 0; y < side; y++)
		for (std::size_t x = 0; x < side; x++)
			for (std::size_t tap = 0; tap < 9; tap++) {
				const std::size_t iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
				if (iy >= side || ix >= side)	/* -1 wraps to a large number */
					continue;
				for (std::size_t o = 0; o < oc; o++)
					for (std::size_t i = 0; i < ic; i++)
						visit((y * side + x) * oc + o,
						      (iy * side + ix) * ic + i,
						      (o * 9 + tap) * ic + i);
			}
}

void conv_relu(const conv_shape &shape, std::span<const float> in, std::span<const float> weights,
	       std::span<const float> bias, std::vector<float> &out)
{
	out.resize(shape.outputs());
	for (std::size_t i = 0; i < out.size(); i++)
		out[i] = bias[i % shape.out_channels];
	walk_conv(shape, [&](std::size_t o, std::size_t i, std::size_t w) {
		out[o] += in[i] * weights[w];
	});
	for (auto &value : out)
		value = std::max(value, 0.0f);
}

void max_pool(std::size_t side, std::size_t channels, const std::vector<float> &in,
	      std::vector<float> &out, std::vector<std::size_t> &from)
{
	const std::size_t half = side / 2;

	out.resize(half * half * channels);
	from.resize(out.size());
	for (std::size_t i = 0; i < out.size(); i++) {
		const std::size_t c = i % channels, x = i / channels % half,
				  y = i / channels / half;
		std::size_t best = (y * 2 * side + x * 2) * channels + c;
		for (std::size_t offset : { channels, side * channels, (side + 1) * channels }) {
			const std::size_t other = (y * 2 * side + x * 2) * channels + c + offset;
			if (in[other] > in[best])
				best = other;
		}
		out[i] = in[best];
		from[i] = best;
	}
}

void dense(const network &net, const std::vector<float> &in, std::vector<float> &out)
{
	out = net.fc_bias;
	for (std::size_t c = 0; c < class_count; c++)
		for (std::size_t i = 0; i < fc_inputs; i++)
			out[c] += in[i] * net.fc_weights[c * fc_inputs + i];
}

std::vector<float> softmax(const std::vector<float> &logits)
{
	const float top = *std::max_element(logits.begin(), logits.end());
	std::vector<float> result(logits.size());
	float sum = 0;

	for (std::size_t i = 0; i < logits.size(); i++)
		sum += result[i] = std::exp(logits[i] - top);
	for (auto &value : result)
		value /= sum;
	return result;
}

/* The gradient of one parameter tensor and its momentum. */
struct slope {
	std::vector<float> *parameter;
	std::vector<float> sum, velocity;

	explicit slope(std::vector<float> &of) : parameter(&of), sum(of.size()), velocity(of.size())
	{
	}

	void apply(float rate, float momentum)
	{
		for (std::size_t i = 0; i < sum.size(); i++) {
			velocity[i] = momentum * velocity[i] - rate * sum[i];
			(*parameter)[i] += velocity[i];
			sum[i] = 0;
		}
	}
};

class trainer
{
public:
	trainer(network &net, const training_options &options)
		: net_(net), options_(options), conv1_weights_(net.conv1_weights),
		  conv1_bias_(net.conv1_bias), conv2_weights_(net.conv2_weights),
		  conv2_bias_(net.conv2_bias), fc_weights_(net.fc_weights), fc_bias_(net.fc_bias)
	{
	}

	void learn(const image &image)
	{
		const activations act = forward(net_, image);
		std::vector<float> error = softmax(act.logits);
		error[image.label] -= 1;

		std::vector<float> pool2_error = dense_backward(act.pool2, error);
		std::vector<float> conv2_error = unpool(pool2_error, act.pool2_from, act.conv2);
		std::vector<float> pool1_error(act.pool1.size());
		conv_backward(conv2_shape, act.pool1, conv2_error, net_.conv2_weights,
			      conv2_weights_, conv2_bias_, &pool1_error);
		std::vector<float> conv1_error = unpool(pool1_error, act.pool1_from, act.conv1);
		conv_backward(conv1_shape, act.input, conv1_error, net_.conv1_weights,
			      conv1_weights_, conv1_bias_, nullptr);
	}

	void apply(float rate)
	{
		for (slope *part : { &conv1_weights_, &conv1_bias_, &conv2_weights_, &conv2_bias_,
				     &fc_weights_, &fc_bias_ })
			part->apply(rate, options_.momentum);
	}

private:
	std::vector<float> dense_backward(const std::vector<float> &in,
					  const std::vector<float> &error)
	{
		std::vector<float> in_error(in.size());

		for (std::size_t c = 0; c < class_count; c++) {
			fc_bias_.sum[c] += error[c];
			for (std::size_t i = 0; i < fc_inputs; i++) {
				fc_weights_.sum[c * fc_inputs + i] += error[c] * in[i];
				in_error[i] += error[c] * net_.fc_weights[c * fc_inputs + i];
			}
		}
		return in_error;
	}

	/* Through max-pooling and ReLU: only the winner of a window learns, and only if positive. */
	static std::vector<float> unpool(const std::vector<float> &error,
					 const std::vector<std::size_t> &from,
					 const std::vector<float> &relu_out)
	{
		std::vector<float> result(relu_out.size());

		for (std::size_t i = 0; i < error.size(); i++)
			if (relu_out[from[i]] > 0)
				result[from[i]] = error[i];
		return result;
	}

	static void conv_backward(const conv_shape &shape, const std::vector<float> &in,
				  const std::vector<float> &error,
				  const std::vector<float> &weights, slope &weight_slope,
				  slope &bias_slope, std::vector<float> *in_error)
	{
		for (std::size_t i = 0; i < error.size(); i++)
			bias_slope.sum[i % shape.out_channels] += error[i];
		walk_conv(shape, [&](std::size_t o, std::size_t i, std::size_t w) {
			weight_slope.sum[w] += error[o] * in[i];
			if (in_error)
				(*in_error)[i] += error[o] * weights[w];
		});
	}

	network &net_;
	const training_options &options_;
	slope conv1_weights_, conv1_bias_, conv2_weights_, conv2_bias_, fc_weights_, fc_bias_;
};

/* He initialisation. Own mapping from generator to float: std distributions differ by library. */
std::vector<float> initial(std::mt19937 &random, std::size_t count, std::size_t fan_in)
{
	const float scale = std::sqrt(6.0f / static_cast<float>(fan_in));
	std::vector<float> result(count);

	for (auto &value : result)
		value = (static_cast<float>(random()) * 0x1p-31f - 1.0f) * scale;
	return result;
}

void shuffle(std::mt19937 &random, std::vector<std::size_t> &order)
{
	for (std::size_t i = order.size(); i > 1; i--)
		std::swap(order[i - 1], order[random() % i]);
}

} // namespace

network train(const std::vector<image> &images, const training_options &options)
{
	std::mt19937 random(options.seed);
	network net;

	net.conv1_weights = initial(random, conv1_shape.weights(), 9);
	net.conv1_bias.resize(conv1_shape.out_channels);
	net.conv2_weights = initial(random, conv2_shape.weights(), 9 * conv2_shape.in_channels);
	net.conv2_bias.resize(conv2_shape.out_channels);
	net.fc_weights = initial(random, class_count * fc_inputs, fc_inputs);
	net.fc_bias.resize(class_count);

	trainer trainer(net, options);
	std::vector<std::size_t> order(images.size());
	std::iota(order.begin(), order.end(), std::size_t{ 0 });
	for (unsigned epoch = 0; epoch < options.epochs; epoch++) {
		/* Falls to a tenth over the run: large steps first, fine ones last. */
		const float progress =
			static_cast<float>(epoch) / static_cast<float>(options.epochs);
		const float rate =
			options.rate * (1.0f - 0.9f * progress) / static_cast<float>(options.batch);
		shuffle(random, order);
		for (std::size_t i = 0; i < order.size(); i++) {
			trainer.learn(images[order[i]]);
			if ((i + 1) % options.batch == 0 || i + 1 == order.size())
				trainer.apply(rate);
		}
	}
	return net;
}

activations forward(const network &net, const image &image)
{
	activations act;

	act.input.resize(image_pixels);
	for (std::size_t i = 0; i < image_pixels; i++)
		act.input[i] = static_cast<float>(image.pixels[i]) / static_cast<float>(pixel_max);
	conv_relu(conv1_shape, act.input, net.conv1_weights, net.conv1_bias, act.conv1);
	max_pool(conv1_shape.side, conv1_shape.out_channels, act.conv1, act.pool1, act.pool1_from);
	conv_relu(conv2_shape, act.pool1, net.conv2_weights, net.conv2_bias, act.conv2);
	max_pool(conv2_shape.side, conv2_shape.out_channels, act.conv2, act.pool2, act.pool2_from);
	dense(net, act.pool2, act.logits);
	return act;
}

std::size_t classify(const network &net, const image &image)
{
	const activations act = forward(net, image);
	return static_cast<std::size_t>(std::max_element(act.logits.begin(), act.logits.end()) -
					act.logits.begin());
}

} // namespace digits
