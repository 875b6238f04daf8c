// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "control.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

#include "../support/card_port.hpp"
#include "objects.hpp"

namespace oac::abi
{

std::size_t card_number(const std::string &of)
{
	return support::card_number(pci_address(of));
}

void monitor(const std::string &line)
{
	const std::string answer = support::ask_monitor(line);

	EXPECT_NE(answer.find("\"ok\":true"), answer.npos) << line << ": " << answer;
}

bool has_control()
{
	return std::getenv("OAC_TEST_CTL") != nullptr;
}

std::string control(const std::string &of, const std::string &request)
{
	const std::string answer = support::card_port(pci_address(of)).ask(request);

	EXPECT_NE(answer.find("\"ok\":true"), answer.npos) << request << ": " << answer;
	return answer;
}

unsigned inject(const std::string &of, const std::string &fault, const std::string &more)
{
	const std::string answer = control(of, R"({"request":"inject","fault":")" + fault + '"' +
						       (more.empty() ? "" : "," + more) + '}');

	return static_cast<unsigned>(support::number_after(answer, "\"id\":"));
}

void clear(const std::string &of, unsigned id)
{
	const std::string state = control(of, R"({"request":"state"})");

	if (state.find("\"id\":" + std::to_string(id) + ',') != state.npos ||
	    state.find("\"id\":" + std::to_string(id) + '}') != state.npos)
		control(of, R"({"request":"clear","id":)" + std::to_string(id) + '}');
}

} // namespace oac::abi
