// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// test_isolation: what one user of a card does never reaches another.
#include <cstring>

#include "neighbour.hpp"
#include "peer.hpp"
#include "squatter.hpp"

int main(int argc, char **argv)
{
	api::use_firmware();
	if (argc == 3 && std::strcmp(argv[1], "--neighbour") == 0)
		return isolation::serve(argv[2]);
	if (argc == 3 && std::strcmp(argv[1], "--peer") == 0)
		return isolation::serve_peer(argv[2]);
	if (argc == 3 && std::strcmp(argv[1], "--squatter") == 0)
		return isolation::serve_squatter(argv[2]);
	testing::InitGoogleTest(&argc, argv);
	return RUN_ALL_TESTS();
}
