// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Runs a set of emulated cards, each with a thread and a socket, until the process is told to end.
#pragma once

#include <cstdint>
#include <string>

#include <model/card.hpp>

struct serve_options {
	std::string dir;
	unsigned cards = 1;
	std::uint64_t lmem_mib = 256;
	unsigned vectors = oac::emu::VECTORS_MAX;
	bool shared_doorbells = true;
	bool user_submission = true;
	std::string flash = "default";	/* "none", "default" or a file */
	std::string trust;		/* a file; empty: the development key */
	unsigned poll_us = 20;
	bool has_poll_us = false;	/* the user has chosen */
	std::string scenario;		/* a file; empty: none */
	std::uint64_t serial_base = 0x0ac1000000000001;
};

/* The exit codes of accel-emu. */
enum serve_exit { SERVE_OK = 0, SERVE_INTERNAL = 1, SERVE_USAGE = 2, SERVE_LISTEN = 3 };

/* Returns one of them; has said why on stderr. */
int serve(const serve_options &options);
