// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See request_lines.hpp.
#include "request_lines.hpp"

bool request_lines::take(std::string_view part, const answerer &answer)
{
	std::size_t end;

	while ((end = part.find('\n')) != part.npos) {
		in_ += part.substr(0, end);
		part.remove_prefix(end + 1);
		if (in_.size() > LINE_MAX_BYTES)
			return false;
		const std::string reply = answer(in_);
		in_.clear();
		out += reply.empty() ? R"({"error":"a request is one JSON object","ok":false})" :
				       reply;
		out += '\n';
	}
	in_ += part;
	return in_.size() <= LINE_MAX_BYTES;
}
