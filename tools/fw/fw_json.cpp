// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Strict reading of JSON written by people. nlohmann's parser neither tells lines nor refuses
// duplicate keys; its callback and an iterator that we can look at give both.
#include "fw_json.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <vector>

#include "fw_error.hpp"

namespace oac::fw
{

namespace
{

/* Reads text for the parser, and lets others see how far the parser is. */
class seen_iterator
{
public:
	using iterator_category = std::input_iterator_tag;
	using value_type = char;
	using difference_type = std::ptrdiff_t;
	using pointer = const char *;
	using reference = const char &;

	seen_iterator(const char *at, const char **seen) : at_(at), seen_(seen) {}

	reference operator*() const { return *at_; }
	seen_iterator &operator++()
	{
		*seen_ = ++at_;
		return *this;
	}
	bool operator==(const seen_iterator &other) const { return at_ == other.at_; }
	bool operator!=(const seen_iterator &other) const { return at_ != other.at_; }

private:
	const char *at_;
	const char **seen_;
};

/* Follows the parser: where it is in the tree, and which keys it has seen there. */
class place
{
public:
	std::string path() const
	{
		std::string out;
		for (const level &l : levels_)
			out += "/" + (l.is_array ? std::to_string(l.index) : l.key);
		return out;
	}

	void enter(bool is_array) { levels_.push_back({ is_array, 0, {}, {} }); }
	void leave()
	{
		levels_.pop_back();
		next();
	}
	/* Behind a value. */
	void next()
	{
		if (!levels_.empty())
			levels_.back().index++;
	}
	/* false: the key was there already. */
	bool key(const std::string &name)
	{
		levels_.back().key = name;
		return levels_.back().keys.insert(name).second;
	}

private:
	struct level {
		bool is_array;
		std::size_t index;
		std::string key;
		std::set<std::string> keys;
	};
	std::vector<level> levels_;
};

/* No manifest needs more than three; a path is made at each level. */
constexpr int DEPTH_MAX = 16;

std::string syntax_error(std::string_view text, std::string_view message, std::size_t byte)
{
	const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
	const auto line = 1 + std::count(text.begin(), end, '\n');
	const std::size_t detail = message.find("; ");

	if (detail != std::string_view::npos)
		message.remove_prefix(detail + 2);
	else
		message = "not JSON";
	return std::to_string(line) + ": not JSON: " + std::string(message);
}

} // namespace

json_text::json_text(std::string_view text, std::string source) : source_(std::move(source))
{
	using event = nlohmann::json::parse_event_t;
	const char *seen = text.data();
	const char *counted = text.data();
	std::size_t line = 1;
	place here;

	const auto follow = [&](int depth, event what, nlohmann::json &parsed) {
		if (depth > DEPTH_MAX)
			fail("", "nested too deeply");
		line += static_cast<std::size_t>(std::count(counted, seen, '\n'));
		counted = seen;
		lines_.emplace(here.path(), line);
		if (what == event::key) {
			const bool is_new = here.key(parsed.get<std::string>());
			lines_[here.path()] = line;
			if (!is_new)
				fail(here.path(), "this key is here twice");
		} else if (what == event::object_start || what == event::array_start) {
			here.enter(what == event::array_start);
		} else if (what == event::object_end || what == event::array_end) {
			here.leave();
		} else {
			here.next();
		}
		return true;
	};
	try {
		root_ = nlohmann::json::parse(seen_iterator(text.data(), &seen),
					      seen_iterator(text.data() + text.size(), &seen),
					      follow);
	} catch (const nlohmann::json::parse_error &e) {
		throw error(EBADMSG, source_ + ":" + syntax_error(text, e.what(), e.byte));
	}
}

void json_text::fail(const std::string &path, const std::string &why) const
{
	const auto line = lines_.find(path);
	const std::string at = line == lines_.end() ? "" : ":" + std::to_string(line->second);

	throw error(EBADMSG, source_ + at + ": " + (path.empty() ? "/" : path) + ": " + why);
}

json_object::json_object(const json_text &text, const nlohmann::json &value, std::string path)
	: text_(text), value_(value), path_(std::move(path))
{
	if (!value.is_object())
		text.fail(path_, "must be an object");
}

void json_object::fail(const std::string &key, const std::string &why) const
{
	text_.fail(path(key), why);
}

bool json_object::has(const char *key)
{
	known_.insert(key);
	return value_.contains(key);
}

const nlohmann::json &json_object::at(const char *key)
{
	if (!has(key))
		text_.fail(path_, std::string("the key \"") + key + "\" is missing");
	return value_.at(key);
}

std::uint64_t json_object::number(const char *key, std::uint64_t min, std::uint64_t max)
{
	const nlohmann::json &value = at(key);

	if (!value.is_number_unsigned() || value.get<std::uint64_t>() < min ||
	    value.get<std::uint64_t>() > max)
		fail(key, "must be a whole number from " + std::to_string(min) + " to " +
				  std::to_string(max));
	return value.get<std::uint64_t>();
}

std::int64_t json_object::signed_number(const char *key)
{
	const nlohmann::json &value = at(key);

	if (!value.is_number_integer() ||
	    (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX))
		fail(key, "must be a whole number");
	return value.get<std::int64_t>();
}

std::string json_object::string(const char *key)
{
	const nlohmann::json &value = at(key);

	if (!value.is_string())
		fail(key, "must be a string");
	return value.get<std::string>();
}

std::string json_object::ascii(const char *key, std::size_t max)
{
	std::string text = string(key);

	if (text.empty() || text.size() > max)
		fail(key, "must be 1 to " + std::to_string(max) + " characters long");
	if (!std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }))
		fail(key, "must be printable ASCII");
	return text;
}

void json_object::finish() const
{
	std::string all;

	for (const std::string &key : known_)
		all += (all.empty() ? "" : ", ") + key;
	for (const auto &item : value_.items()) {
		if (!known_.contains(item.key()))
			fail(item.key(), "unknown key; known here: " + all);
	}
}

} // namespace oac::fw
