// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Errors of the link, made from outside: the card's status by the emulator's control socket, the
// message to the root port by QEMU's monitor, or both by the kernel's aer_inject.
#pragma once

#include <optional>
#include <string>

#include "control.hpp"
#include "recovery.hpp"
#include "uevents.hpp"

namespace oac::abi
{

/* A counter of the kernel's for a PCI function: "aer_dev_nonfatal", "CmpltTO". */
std::uint64_t aer_count(const std::string &address, const std::string &file,
			const std::string &error);
/* The port above the card, and its sum of "fatal", "nonfatal" or "cor" messages. */
std::string port_address(const std::string &node);
std::uint64_t port_count(const std::string &node, const std::string &severity);
/* How often the card was reset since power on, as it says itself. */
unsigned card_resets(const std::string &node);

class aer : public recovery_test
{
protected:
	void SetUp() override;
	void TearDown() override;

	/* QEMU sends a message only with SERR# on, which Linux leaves off; a reset clears it. */
	void enable_messages(const std::string &node) const;
	/* By the card: "nonfatal" or "fatal". */
	void error_of_the_card(const std::string &node, const std::string &severity) const;
	/* By its port: the card is gone without a word, and is back. */
	void surprise_down(const std::string &node) const;
	/*
	 * A bad packet, repeated by the link: 0, or EBUSY if the one before has not been seen to. From
	 * then on the kernel sees no real errors of that card and its port any more: theirs are played.
	 */
	static int correctable_error(const std::string &node);

	/* The PCI core has called everybody, and all went well. */
	void wait_for_resume() const { wait_for_resume(*uevents_, path()); }
	static void wait_for_resume(const uevent_reader &uevents, const std::string &node);

	const event_reader &told() const { return *events_; }
	const uevent_reader &uevents() const { return *uevents_; }
	/* All events there are now, with this code. */
	std::size_t count_events(std::uint16_t code) const;

	std::uint32_t generation_ = 0;

private:
	std::optional<event_reader> events_;
	std::optional<uevent_reader> uevents_;
};

} // namespace oac::abi
