// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's other side: faults are injected through the emulator's control socket, which the guest
// reaches over its second serial port (tests/vm/README.md). OAC_TEST_CTL names that.
#pragma once

#include <string>

namespace oac::abi
{

/* Is there a way to the control socket of cards? */
bool has_control();

/*
 * Sends one request, a JSON object, to the card behind a node and returns the answer, a JSON object
 * on one line. An answer that is not "ok" is the test's failure.
 */
std::string control(const std::string &node, const std::string &request);

/* The card's number on the host, by which QEMU calls it accN and its port portN. */
std::size_t card_number(const std::string &node);
/* One line for QEMU's monitor; of these only pcie_aer_inject_error is allowed. */
void monitor(const std::string &line);

/* Injects a fault: name, then more members of the object: R"("until": "abort")". Returns its id. */
unsigned inject(const std::string &node, const std::string &fault, const std::string &more = "");
/* It holds no more; not a failure if it has healed. */
void clear(const std::string &node, unsigned id);

} // namespace oac::abi
