// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "dataset.hpp"

#include <charconv>
#include <memory>
#include <stdexcept>

#include <zlib.h>

namespace digits
{
namespace
{

constexpr std::size_t held_out_stride = 5;

struct gz_closer {
	void operator()(gzFile file) const { gzclose(file); }
};
using gz_file = std::unique_ptr<gzFile_s, gz_closer>;

/* Numbers may be written as "5" or "5.000000000000000000e+00". */
int next_number(const char *&at, const char *end, int limit)
{
	double value = 0;
	auto [stop, error] = std::from_chars(at, end, value);
	if (error != std::errc() || value < 0 || value > limit || value != static_cast<int>(value))
		throw std::runtime_error("expected a whole number from 0 to " +
					 std::to_string(limit));
	at = stop;
	if (at != end && *at == ',')
		at++;
	return static_cast<int>(value);
}

image parse_line(const char *at, const char *end)
{
	image result{};

	for (auto &pixel : result.pixels)
		pixel = static_cast<std::uint8_t>(next_number(at, end, pixel_max));
	result.label = static_cast<std::uint8_t>(next_number(at, end, class_count - 1));
	if (at != end)
		throw std::runtime_error("more than 65 numbers");
	return result;
}

std::size_t trimmed_length(const char *line)
{
	std::string_view text(line);
	while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
		text.remove_suffix(1);
	return text.size();
}

} // namespace

dataset load(const std::string &path)
{
	gz_file file(gzopen(path.c_str(), "rb"));
	if (!file)
		throw std::runtime_error("cannot open " + path +
					 "; scripts/fetch-digits.sh puts the file there");

	dataset result;
	char line[4096];
	for (std::size_t number = 0; gzgets(file.get(), line, sizeof(line)); number++) {
		try {
			auto &part = number % held_out_stride ? result.training : result.held_out;
			part.push_back(parse_line(line, line + trimmed_length(line)));
		} catch (const std::runtime_error &error) {
			throw std::runtime_error(path + ", line " + std::to_string(number + 1) +
						 ": " + error.what());
		}
	}
	if (result.held_out.empty() || result.training.empty())
		throw std::runtime_error(path + ": no images");
	return result;
}

} // namespace digits
