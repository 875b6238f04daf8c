// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Layouts and ioctl numbers are what they were when layout.golden was checked in, and no struct
// has a hole. A deliberate change comes with a new golden table: OAC_LAYOUT_WRITE=path writes it.
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "layout.hpp"

using namespace oac::abi;

namespace
{

std::string current_table()
{
	std::ostringstream out;

	for (const auto &one : layouts()) {
		out << "struct " << one.name << ' ' << one.size << '\n';
		for (const auto &f : one.fields)
			out << "field " << one.name << '.' << f.name << ' ' << f.offset << ' '
			    << f.size << '\n';
	}
	out << std::hex;
	for (const auto &one : ioctls())
		out << "ioctl " << one.name << " 0x" << one.value << '\n';
	return out.str();
}

} // namespace

TEST(layout, no_struct_has_a_hole)
{
	for (const auto &one : layouts()) {
		std::size_t end = 0;

		for (const auto &f : one.fields) {
			EXPECT_EQ(f.offset, end) << one.name << '.' << f.name;
			end = f.offset + f.size;
		}
		EXPECT_EQ(end, one.size) << one.name;
		EXPECT_EQ(one.size % 8, 0u) << one.name;
	}
}

TEST(layout, is_that_of_the_golden_table)
{
	const std::string table = current_table();

	if (const char *path = std::getenv("OAC_LAYOUT_WRITE"))
		std::ofstream(path) << table;
	std::ifstream file(OAC_LAYOUT_GOLDEN);
	if (!file) /* in a guest: beside the program */
		file.open("/test/layout.golden");
	ASSERT_TRUE(file) << "neither " << OAC_LAYOUT_GOLDEN << " nor /test/layout.golden";
	std::stringstream golden;
	golden << file.rdbuf();
	EXPECT_EQ(table, golden.str());
}
