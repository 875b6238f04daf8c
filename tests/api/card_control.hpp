// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The side control of emulated cards: faults in, and out again. Most tests want cards in this process,
// and skip where they are elsewhere.
#pragma once

#include <string>

#include "../support/card_port.hpp"

namespace api
{

class card_control
{
public:
	enum class where { in_process, anywhere };

	/// name: of an open card, "emu:0"; or the PCI address of one of the kernel's.
	explicit card_control(const std::string &name, where from = where::in_process)
		: port_(name), is_there_((from == where::anywhere || name.starts_with("emu:")) &&
					 port_.is_there())
	{
	}
	card_control(const card_control &) = delete;
	card_control &operator=(const card_control &) = delete;
	/// Takes all faults out again.
	~card_control();

	bool is_there() const { return is_there_; }
	/// fault and what it takes, as in docs/emulator.md: R"("fault":"crash")". Returns its id.
	unsigned inject(const std::string &fault);
	/// Returns once the card has come to it; at once if it is over already. A failure after 20 s.
	void wait_until_fired(unsigned id);
	void clear();

private:
	std::string ask(const std::string &request);

	support::card_port port_;
	bool is_there_;
};

} // namespace api
