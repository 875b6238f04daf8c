// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Strict reading of JSON written by people: the line of every key, duplicate keys refused, and an
// object whose unread keys are errors. Private to tools/fw.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace oac::fw
{

/// A parsed text that knows on which line each of its keys stands.
class json_text
{
public:
	json_text(std::string_view text, std::string source);

	const nlohmann::json &root() const { return root_; }
	/// Throws "source:LINE: /path: why".
	[[noreturn]] void fail(const std::string &path, const std::string &why) const;

private:
	nlohmann::json root_;
	std::string source_;
	std::map<std::string, std::size_t> lines_;
};

/// One object of it: whatever has not been asked for by finish() is an unknown key.
class json_object
{
public:
	json_object(const json_text &text, const nlohmann::json &value, std::string path);

	bool has(const char *key);
	/// The value of a key that must be there.
	const nlohmann::json &at(const char *key);
	std::uint64_t number(const char *key, std::uint64_t min, std::uint64_t max);
	std::int64_t signed_number(const char *key);
	/// ASCII without control characters, at most max bytes.
	std::string ascii(const char *key, std::size_t max);
	std::string string(const char *key);
	void finish() const;

	std::string path(const std::string &key) const { return path_ + "/" + key; }
	[[noreturn]] void fail(const std::string &key, const std::string &why) const;

private:
	const json_text &text_;
	const nlohmann::json &value_;
	std::string path_;
	std::set<std::string, std::less<>> known_;
};

} // namespace oac::fw
