// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Handwritten digit recognition over all cards of a host: trains a small network, quantises it to
// int8, runs it on every card in parallel and compares each answer with the host's own.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "card_runner.hpp"
#include "report.hpp"

namespace
{

using namespace digits;

struct options {
	std::string data, firmware, json;
	std::size_t cards = 0;	/* 0: all there are */
	std::size_t batch = 64;
	unsigned passes = 4, rounds = 1;
};

constexpr auto footer = R"(Examples:
  ACCEL_EMU=6 digits --data digits.csv.gz      six emulated cards in this process
  digits --data digits.csv.gz --cards 6        the cards of this host; fails unless there are 6
  digits --data digits.csv.gz --rounds 2       reset a card, press Enter: the same device works on
Exit status: 0 all answers equal the host's, 1 an error, 6 mismatches.)";

constexpr int exit_mismatch = 6;

std::vector<std::byte> read_file(const std::string &path)
{
	std::ifstream file(path, std::ios::binary);
	if (!file)
		throw std::runtime_error("cannot read " + path);
	std::vector<std::byte> bytes;
	for (std::istreambuf_iterator<char> at(file), end; at != end; ++at)
		bytes.push_back(static_cast<std::byte>(*at));
	return bytes;
}

std::vector<accel::device> open_cards(std::size_t wanted)
{
	const auto names = accel::enumerate();
	if (names.empty() || names.size() < wanted)
		throw std::runtime_error(
			fmt::format("found {} card(s), need {}; for emulated ones set ACCEL_EMU=6",
				    names.size(), std::max<std::size_t>(wanted, 1)));
	std::vector<accel::device> cards;
	for (std::size_t i = 0; i < (wanted ? wanted : names.size()); i++)
		cards.emplace_back(names[i]);
	return cards;
}

/* Runs a function of (card index) on a thread each; rethrows the first failure. */
template <typename Function>
void on_each(std::size_t cards, Function function)
{
	std::vector<std::future<void>> running;
	running.reserve(cards);
	for (std::size_t i = 0; i < cards; i++)
		running.push_back(std::async(std::launch::async, function, i));
	for (auto &one : running)
		one.get();
}

void load_firmware(std::vector<accel::device> &cards, const std::string &path)
{
	const auto image = read_file(path);
	on_each(cards.size(), [&](std::size_t i) { cards[i].load_firmware(image); });
}

std::uint64_t sum_of(const std::vector<accel::device> &cards, const char *counter)
{
	std::uint64_t sum = 0;
	for (const auto &card : cards)
		sum += card.read_telemetry().counter_value(counter).value_or(0);
	return sum;
}

double accuracy(const std::vector<image> &images, auto classify)
{
	const auto right = std::count_if(images.begin(), images.end(), [&](const image &image) {
		return classify(image) == image.label;
	});
	return static_cast<double>(right) / static_cast<double>(images.size());
}

/* All images, held-out ones first, `passes` times over; every card takes an equal share. */
std::vector<logits> run_on_cards(std::vector<card_runner> &runners,
				 const std::vector<image> &images)
{
	std::vector<std::vector<logits>> parts(runners.size());
	const std::size_t count = runners.size();

	on_each(count, [&](std::size_t i) {
		const std::size_t from = images.size() * i / count,
				  to = images.size() * (i + 1) / count;
		parts[i] = runners[i].run(std::span(images).subspan(from, to - from));
	});

	std::vector<logits> results;
	for (const auto &part : parts)
		results.insert(results.end(), part.begin(), part.end());
	return results;
}

std::size_t count_mismatches(const std::vector<logits> &expected, const std::vector<logits> &got)
{
	std::size_t result = expected.size() != got.size();
	for (std::size_t i = 0; i < std::min(expected.size(), got.size()); i++)
		result += expected[i] != got[i];
	return result;
}

void measure(std::vector<accel::device> &cards, const quantised_network &net, const dataset &data,
	     const options &options, report &result)
{
	std::vector<image> images = data.held_out;
	images.insert(images.end(), data.training.begin(), data.training.end());
	std::vector<logits> expected;
	expected.reserve(images.size());
	for (const auto &image : images)
		expected.push_back(infer(net, image));

	std::vector<card_runner> runners;
	runners.reserve(cards.size());
	for (const auto &card : cards)
		runners.emplace_back(card, net, options.batch);

	const std::uint64_t to_before = sum_of(cards, "bytes_from_host");
	const std::uint64_t from_before = sum_of(cards, "bytes_to_host");
	const std::size_t mismatches_before = result.mismatches;
	std::vector<logits> got;
	const auto start = std::chrono::steady_clock::now();
	for (unsigned pass = 0; pass < options.passes; pass++) {
		got = run_on_cards(runners, images);
		result.mismatches += count_mismatches(expected, got);
	}
	result.seconds +=
		std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	result.images += images.size() * options.passes;
	result.bytes_to_cards += sum_of(cards, "bytes_from_host") - to_before;
	result.bytes_from_cards += sum_of(cards, "bytes_to_host") - from_before;
	if (options.rounds > 1)
		fmt::print("Round done, {} mismatches\n", result.mismatches - mismatches_before);

	std::size_t index = 0;
	result.accuracy_int8 =
		accuracy(data.held_out, [&](const image &) { return winner(got.at(index++)); });
}

/* Whatever happened to the cards meanwhile: their handles are as good as before. */
void await_next_round(std::vector<accel::device> &cards)
{
	std::string line;

	std::fflush(stdout);
	if (!std::getline(std::cin, line))
		throw std::runtime_error("standard input ended: each further round takes a line");
	for (auto &card : cards)
		card.recover();
}

int run(const options &options)
{
	const dataset data = load(options.data);
	auto cards = open_cards(options.cards);
	report result;

	if (!options.firmware.empty()) {
		fmt::print("Loading {} on {} card(s)\n", options.firmware, cards.size());
		load_firmware(cards, options.firmware);
	}
	for (const auto &card : cards)
		result.firmware.push_back(
			card.string(ACCEL_STRING_FIRMWARE_VERSION).value_or("none"));

	fmt::print("Training on {} images\n", data.training.size());
	std::fflush(stdout);
	const network net = train(data.training, {});
	result.held_out = data.held_out.size();
	result.accuracy_fp32 =
		accuracy(data.held_out, [&](const image &image) { return classify(net, image); });

	const quantised_network small = quantise(net, data.training);
	for (unsigned round = 0; round < options.rounds; round++) {
		if (round)
			await_next_round(cards);
		measure(cards, small, data, options, result);
	}
	result.health = nlohmann::ordered_json::array();
	for (const auto &card : cards)
		result.health.push_back(card_health(card));

	print(result);
	if (!options.json.empty()) {
		std::ofstream file(options.json);
		file << to_json(result).dump(2) << '\n';
		if (!file.flush())
			throw std::runtime_error("cannot write " + options.json);
	}
	return result.mismatches ? exit_mismatch : 0;
}

} // namespace

int main(int argc, char **argv)
{
	options options;
	CLI::App app("Recognises handwritten digits on every accelerator card of this host.",
		     "digits");

	app.add_option("--data", options.data, "Data set, digits.csv.gz")->required();
	app.add_option("--cards", options.cards, "Use exactly this many cards (default: all)");
	app.add_option("--firmware", options.firmware, "Load this image on each card first");
	app.add_option("--json", options.json, "Write the result to this file");
	app.add_option("--batch", options.batch, "Images per batch")->check(CLI::Range(1, 1024));
	app.add_option("--passes", options.passes, "Times over all images")
		->check(CLI::Range(1, 1000));
	app.add_option("--rounds", options.rounds,
		       "Do it that often with the cards kept open, and all else made anew; "
		       "before each round but the first wait for a line of input")
		->check(CLI::Range(1, 1000));
	app.footer(footer);
	CLI11_PARSE(app, argc, argv);

	try {
		return run(options);
	} catch (const std::exception &error) {
		std::cerr << "digits: " << error.what() << '\n';
		return 1;
	}
}
