// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See catalogue.hpp.
#include "catalogue.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace oac::emu::control
{

const std::vector<fault_kind> &all_faults()
{
	static const std::vector<fault_kind> all = {
#define OAC_FAULT_ROW(name, on, is_lasting, parameters, fields, text) \
	{ fault::name, #name, happening::on, is_lasting, parameters, fields, text },
		OAC_FAULTS(OAC_FAULT_ROW)
#undef OAC_FAULT_ROW
	};
	return all;
}

const std::vector<parameter_kind> &all_parameters()
{
	static const std::vector<parameter_kind> all = {
#define OAC_PARAMETER_ROW(name, words, min, max, text) \
	{ parameter::name, #name, words, min, max, text },
		OAC_FAULT_PARAMETERS(OAC_PARAMETER_ROW)
#undef OAC_PARAMETER_ROW
	};
	return all;
}

const std::vector<std::string_view> &all_happenings()
{
	static const std::vector<std::string_view> all = {
#define OAC_HAPPENING_NAME(name, text) #name,
		OAC_HAPPENINGS(OAC_HAPPENING_NAME)
#undef OAC_HAPPENING_NAME
	};
	return all;
}

std::vector<happening_kind> counted_happenings()
{
	std::vector<happening_kind> all = {
#define OAC_HAPPENING_ROW(name, text) { #name, text },
		OAC_HAPPENINGS(OAC_HAPPENING_ROW)
#undef OAC_HAPPENING_ROW
	};
	all.erase(all.begin());
	return all;
}

static std::optional<std::string_view> entry_of(std::string_view parameters, std::string_view name)
{
	for (const std::string_view word : words_of(parameters, ' ')) {
		if (word.substr(0, word.find('=')) == name)
			return word;
	}
	return std::nullopt;
}

bool fault_kind::takes(parameter which) const
{
	return entry_of(parameters, kind_of(which).name).has_value();
}

std::string_view fault_kind::preset(parameter which) const
{
	const std::string_view word = entry_of(parameters, kind_of(which).name).value_or("");
	const std::size_t at = word.find('=');

	return at == word.npos ? std::string_view() : word.substr(at + 1);
}

std::string_view fault_kind::words(const parameter_kind &of) const
{
	return of.id == parameter::field ? fields : of.words;
}

const fault_kind *find_fault(std::string_view name)
{
	const auto &all = all_faults();
	const auto found = std::find_if(all.begin(), all.end(),
					[&](const fault_kind &kind) { return kind.name == name; });

	return found == all.end() ? nullptr : &*found;
}

const parameter_kind *find_parameter(std::string_view name)
{
	const auto &all = all_parameters();
	const auto found = std::find_if(all.begin(), all.end(), [&](const parameter_kind &kind) {
		return kind.name == name;
	});

	return found == all.end() ? nullptr : &*found;
}

const parameter_kind &kind_of(parameter which)
{
	return all_parameters()[static_cast<std::size_t>(which)];
}

std::optional<happening> find_happening(std::string_view name)
{
	const auto &all = all_happenings();
	const auto found = std::find(all.begin() + 1, all.end(), name);

	if (found == all.end())
		return std::nullopt;
	return static_cast<happening>(found - all.begin());
}

std::string_view name_of(happening which)
{
	return all_happenings()[static_cast<std::size_t>(which)];
}

std::vector<std::string_view> words_of(std::string_view list, char between)
{
	std::vector<std::string_view> all;

	while (!list.empty()) {
		const std::size_t end = std::min(list.find(between), list.size());
		all.push_back(list.substr(0, end));
		list.remove_prefix(std::min(end + 1, list.size()));
	}
	return all;
}

std::optional<std::size_t> find_word(std::string_view list, std::string_view word)
{
	const auto all = words_of(list);
	const auto found = std::find(all.begin(), all.end(), word);

	if (found == all.end())
		return std::nullopt;
	return static_cast<std::size_t>(found - all.begin());
}

std::string listed(const std::vector<std::string_view> &words)
{
	std::string text;

	for (const std::string_view word : words) {
		if (!text.empty())
			text += ", ";
		text += word;
	}
	return text;
}

std::optional<std::int64_t> number_of(std::string_view text)
{
	const bool is_negative = text.starts_with('-');
	const std::string_view digits = text.substr(is_negative ? 1 : 0);
	const bool is_hex = digits.starts_with("0x");
	const char *const first = digits.data() + (is_hex ? 2 : 0);
	const char *const last = digits.data() + digits.size();
	constexpr int decimal = 10, hex = 16;
	std::int64_t value = 0;

	if (first == last || *first == '-')
		return std::nullopt;
	const auto [end, error] = std::from_chars(first, last, value, is_hex ? hex : decimal);
	if (error != std::errc() || end != last)
		return std::nullopt;
	return is_negative ? -value : value;
}

std::int64_t parse_value(const fault_kind &of, const parameter_kind &which, std::string_view text)
{
	const std::string_view words = of.words(which);
	const std::string given = std::string(which.name) + " is '" + std::string(text) + "'";

	if (!words.empty()) {
		const auto place = find_word(words, text);
		if (place && (which.id == parameter::field ||
			      static_cast<std::int64_t>(*place) >= which.min))
			return static_cast<std::int64_t>(*place);
		auto legal = words_of(words);
		if (which.id != parameter::field)
			legal.erase(legal.begin(), legal.begin() + which.min);
		throw std::invalid_argument(given + ": it is one of " + listed(legal));
	}
	const auto value = number_of(text);
	if (!value || *value < which.min || *value > which.max)
		throw std::invalid_argument(given + ": it is a number from " +
					    std::to_string(which.min) + " to " +
					    std::to_string(which.max));
	return *value;
}

} // namespace oac::emu::control
