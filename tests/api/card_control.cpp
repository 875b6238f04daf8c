// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See card_control.hpp.
#include "card_control.hpp"

#include <charconv>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace api
{

namespace
{

/* The numbers behind each of these words in a reply. */
std::vector<unsigned> numbers_after(const std::string &text, const std::string &word)
{
	std::vector<unsigned> found;
	for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
		unsigned number = 0;
		const char *first = text.data() + at + word.size();
		if (std::from_chars(first, text.data() + text.size(), number).ec == std::errc())
			found.push_back(number);
	}
	return found;
}

} // namespace

card_control::~card_control()
{
	if (is_there())
		clear();
}

std::string card_control::ask(const std::string &request)
{
	std::string text = port_.ask(request);
	EXPECT_NE(text.find("\"ok\":true"), text.npos) << request << "\ngives " << text;
	return text;
}

unsigned card_control::inject(const std::string &fault)
{
	const std::string reply = ask("{\"request\":\"inject\"," + fault + "}");
	const auto ids = numbers_after(reply, "\"id\":");
	EXPECT_EQ(ids.size(), 1u) << reply;
	return ids.empty() ? 0 : ids.front();
}

void card_control::wait_until_fired(unsigned id)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
	const std::string mine = "\"id\":" + std::to_string(id) + ",";
	const std::string waits = "\"fired\":0";

	/* Each look is served by the card itself, between two of its steps. */
	for (;;) {
		const std::string state = ask("{\"request\":\"state\"}");
		const auto entry = state.find(mine);
		if (entry == state.npos)
			return;
		const auto first = state.rfind('{', entry);
		if (state.substr(first, state.find('}', entry) - first).find(waits) == state.npos)
			return;
		ASSERT_LT(std::chrono::steady_clock::now(), end) << state;
	}
}

void card_control::clear()
{
	/* A card that is gone has none. */
	const std::string state = port_.ask("{\"request\":\"state\"}");
	for (const unsigned id : numbers_after(state, "\"id\":"))
		ask("{\"request\":\"clear\",\"id\":" + std::to_string(id) + "}");
}

} // namespace api
