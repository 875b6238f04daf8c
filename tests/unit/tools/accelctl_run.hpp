// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Runs the built accelctl as a user would, and keeps what it said.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

struct run_result {
	int code = -1;		/* exit code; -1 if it did not exit by itself */
	std::string out, err;

	/* stdout as JSON; fails the test if it is none. */
	nlohmann::json json() const;
};

/* A scratch directory that lives as long as the test program. */
const std::string &scratch();

/*
 * arguments as typed into a shell, before as typed in front of the program ("ACCEL_EMU=x").
 * There are two cards: those of ACCEL_SOCKETS if that is set, else emulated ones.
 */
run_result run(const std::string &arguments, const std::string &before = "");

/* As run(), but libaccel lies in one way: see accelctl_shim.cpp. */
run_result run_with_lie(const std::string &lie, const std::string &arguments);

/* "oac1.fw" in the build's firmware directory. */
std::string firmware(const std::string &name);
