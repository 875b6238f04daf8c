// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// layout.def as tables: every struct of the contracts with its fields, and every ioctl.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace oac::abi
{

struct field {
	std::string name;
	std::size_t offset;
	std::size_t size;
};

struct layout {
	std::string name;
	std::size_t size;
	std::vector<field> fields;
};

struct number {
	std::string name;
	unsigned long value;
};

const std::vector<layout> &layouts();
const std::vector<number> &ioctls();

} // namespace oac::abi
