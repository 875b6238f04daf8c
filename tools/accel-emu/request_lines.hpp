// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a client of a control socket says, in whatever pieces it comes: a request a line, and a reply
// a line for each. Knows no socket.
#pragma once

#include <functional>
#include <string>
#include <string_view>

/* Answers one request; empty: it was none. */
using answerer = std::function<std::string(std::string_view)>;

class request_lines
{
public:
	/* A line may not be longer. */
	static constexpr std::size_t LINE_MAX_BYTES = 65536;

	/* false: the line is too long, and its client not to be heard any more. */
	bool take(std::string_view part, const answerer &answer);
	/* Replies that nobody has taken. */
	std::string out;

private:
	std::string in_; /* the beginning of a line */
};
