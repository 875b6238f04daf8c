// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl list: the cards, a line each.
#include "verb.hpp"

namespace accelctl
{

namespace
{

void fill_row(card &of, tree &row)
{
	of.put(row, "model", ACCEL_STRING_MODEL, "no firmware is running");
	of.put(row, "pci_address", ACCEL_STRING_PCI_ADDRESS, "the card is on no bus of this host");
	of.put(row, "state", ACCEL_STRING_STATE, "the card does not tell");
	of.put(row, "firmware_version", ACCEL_STRING_FIRMWARE_VERSION, "no firmware is running");
}

report run_list(const session &s)
{
	report out("list");

	card_set(s.set, unselected::all).visit(out, order::together, fill_row);
	return out;
}

} // namespace

void add_list(CLI::App &app, session &s)
{
	CLI::App *const verb = add_verb(app, s,
					{ "list", "List the cards of this host, a line each",
					  "list\n"
					  "list -o json\n"
					  "list -d 0000:03:00.0" },
					[&s] { return run_list(s); });
	add_selection(*verb, s);
}

} // namespace accelctl
