// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The way to a card's control requests (docs/emulator.md), wherever the card is: in this process, behind
// a socket of accel-emu, or in a guest, which asks over a serial port (tests/vm/README.md).
#pragma once

#include <cstddef>
#include <string>

namespace support
{

class card_port
{
public:
	/// card: "emu:0"; "socket:PATH"; the PCI address of a card of the kernel's.
	explicit card_port(std::string card);

	/// Whether there is a way at all.
	bool is_there() const;
	/// A request is one JSON object; so is the reply. Empty: none came.
	std::string ask(const std::string &request) const;
	/// The id of the fault that was injected; 0 where it was refused. what: members of the object.
	unsigned inject(const std::string &what, std::string *reply = nullptr) const;

private:
	enum class way { none, in_process, socket, serial };

	std::string ask_in_process(const std::string &request) const;
	std::string ask_socket(const std::string &request) const;
	std::string ask_serial(const std::string &request) const;

	way by_ = way::none;
	std::string at_; /* the socket, or the PCI address */
	unsigned index_ = 0;
};

/// The card's number on the host, by PCI address: QEMU calls it accN and its port portN.
std::size_t card_number(const std::string &address);
/// The reply to one line for QEMU's monitor, of a guest; empty: none came.
std::string ask_monitor(const std::string &line);

/// The number behind a word in a reply; otherwise where it is not there.
unsigned long long number_after(const std::string &text, const std::string &word,
				unsigned long long otherwise = 0);

} // namespace support
