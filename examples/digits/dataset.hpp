// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The handwritten digits: 1,797 images of 8x8 pixels, values 0..16, with their labels (UCI "Optical
// Recognition of Handwritten Digits", as a gzip-compressed table of 65 numbers a line).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace digits
{

constexpr std::size_t image_side = 8;
constexpr std::size_t image_pixels = image_side * image_side;
constexpr std::size_t class_count = 10;
constexpr int pixel_max = 16;

struct image {
	std::array<std::uint8_t, image_pixels> pixels;
	std::uint8_t label;
};

struct dataset {
	std::vector<image> training;
	std::vector<image> held_out;	/* never seen by training or calibration */
};

/* Every fifth image is held out. Throws std::runtime_error that names the file and the line. */
dataset load(const std::string &path);

} // namespace digits
