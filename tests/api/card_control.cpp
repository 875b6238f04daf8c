// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See card_control.hpp. The emulator is the one that libaccel has loaded already.
#include "card_control.hpp"

#include <charconv>
#include <chrono>
#include <cstring>
#include <vector>

#include <dlfcn.h>

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

card_control::card_control(const std::string &name)
{
	constexpr const char *prefix = "emu:";
	if (!name.starts_with(prefix))
		return;
	index_ = static_cast<unsigned>(std::stoul(name.substr(std::strlen(prefix))));
	void *library = dlopen(ACCEL_EMU_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
	if (!library)
		return;
	find_ = reinterpret_cast<decltype(find_)>(dlsym(library, "accel_emu_card_find"));
	send_ = reinterpret_cast<decltype(send_)>(dlsym(library, "accel_emu_card_control"));
}

card_control::~card_control()
{
	if (is_there())
		clear();
}

std::string card_control::ask(const std::string &request)
{
	std::vector<char> reply(1 << 20);
	const int length = send_(find_(index_), request.c_str(), reply.data(), reply.size());
	EXPECT_GT(length, 0) << request;
	std::string text(reply.data());
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
	if (!find_(index_))
		return;
	const std::string state = ask("{\"request\":\"state\"}");
	for (const unsigned id : numbers_after(state, "\"id\":"))
		ask("{\"request\":\"clear\",\"id\":" + std::to_string(id) + "}");
}

} // namespace api
