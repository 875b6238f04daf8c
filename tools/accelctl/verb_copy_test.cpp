// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl copy-test: is the way from host memory through the card and back fast and right?
#include "verb.hpp"

#include <fmt/format.h>

#include "copy_job.hpp"

namespace accelctl
{

namespace
{

constexpr std::size_t SIZE_MAX_BYTES = std::size_t{ 1 } << 30;

struct choice {
	std::vector<std::uint64_t> sizes = { 4 << 10, 64 << 10, 1 << 20, 16 << 20 };
	unsigned count = 16;
	std::int64_t timeout_ns = ACCEL_TIMEOUT_DEFAULT;
};

tree result_json(std::uint64_t size, unsigned count, const copy_result &result)
{
	tree out;

	out["size_bytes"] = size;
	out["copies"] = result.copies;
	out["throughput_bytes_per_second"] =
		static_cast<double>(size) * count / std::max(result.seconds, 1e-9);
	out["mismatched_bytes"] = result.mismatches;
	if (result.mismatches != 0)
		out["first_mismatch_bytes"] = result.first_mismatch;
	return out;
}

void fill_row(card &of, tree &row, const choice &wanted)
{
	std::uint64_t mismatches = 0;

	row["verdict"] = "failed";
	row["results"] = tree::array();
	for (const std::uint64_t size : wanted.sizes) {
		copy_job job(of, size, wanted.timeout_ns);
		const copy_result result = job.run(wanted.count);
		row["results"].push_back(result_json(size, wanted.count, result));
		mismatches += result.mismatches;
	}
	if (mismatches != 0)
		throw failure(exit_code::check_failed, of.name(),
			      fmt::format("{} bytes came back wrong", mismatches),
			      "take the card out of service");
	row["verdict"] = "passed";
}

} // namespace

void add_copy_test(CLI::App &app, session &s)
{
	const auto wanted = std::make_shared<choice>();
	const auto run = [&s, wanted] {
		report out("copy-test");
		card_set(s.set, unselected::all)
			.visit(out, order::one_by_one,
			       [&](card &of, tree &row) { fill_row(of, row, *wanted); });
		return out;
	};
	CLI::App *const verb = add_verb(
		app, s,
		{ "copy-test",
		  "Copy host memory through cards and back, check every byte and take the time",
		  "copy-test --all\n"
		  "copy-test -d 0 --size 4K --size 64M --count 100" },
		run);
	add_selection(*verb, s);
	verb->add_option(
		    "--size", wanted->sizes,
		    "Bytes per copy, with K, M, G if you like; may be given several times (4K, 64K, "
		    "1M, 16M)")
		->transform(CLI::AsSizeValue(false).description(""))
		->check(CLI::Range(std::uint64_t{ 1 }, std::uint64_t{ SIZE_MAX_BYTES })
				.description(""))
		->allow_extra_args(false)
		->type_name("BYTES");
	verb->add_option("--count", wanted->count, "Timed copies of each size (16)")
		->check(CLI::Range(1, 1000000).description(""))
		->type_name("COUNT");
	add_timeout(*verb, wanted->timeout_ns);
}

} // namespace accelctl
