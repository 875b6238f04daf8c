// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The two printers.
#include "printer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace accelctl
{

namespace
{

std::string scaled(double value, double base, std::vector<const char *> units)
{
	std::size_t i = 0;

	while (std::abs(value) >= base && i + 1 < units.size()) {
		value /= base;
		i++;
	}
	const bool is_whole = value == std::floor(value) && value < 1e6;
	return fmt::format("{:.{}f} {}", value, is_whole ? 0 : 1, units[i]);
}

struct unit {
	const char *suffix;	/* of the field name */
	std::string (*show)(double);
};

/* A suffix that ends like another one stands before it. */
constexpr unit units[] = {
	{ "_transfers_per_second",
	  [](double v) {
		  return scaled(v, 1000, { "T/s", "kT/s", "MT/s", "GT/s" });
	  } },
	{ "_bytes_per_second",
	  [](double v) {
		  return scaled(v, 1000, { "B/s", "kB/s", "MB/s", "GB/s" });
	  } },
	{ "_bytes",
	  [](double v) {
		  return scaled(v, 1024, { "B", "KiB", "MiB", "GiB", "TiB" });
	  } },
	{ "_millicelsius", [](double v) { return fmt::format("{:.1f} C", v / 1e3); } },
	{ "_microwatts", [](double v) { return fmt::format("{:.2f} W", v / 1e6); } },
	{ "_millivolts", [](double v) { return fmt::format("{:.3f} V", v / 1e3); } },
	{ "_milliamperes", [](double v) { return fmt::format("{:.2f} A", v / 1e3); } },
	{ "_ppm", [](double v) { return fmt::format("{:.0f} %", v / 1e4); } },
	{ "_khz",
	  [](double v) {
		  return scaled(v, 1000, { "kHz", "MHz", "GHz" });
	  } },
	{ "_mw", [](double v) { return fmt::format("{:.2f} W", v / 1e3); } },
	{ "_celsius", [](double v) { return fmt::format("{:.1f} C", v); } },
	{ "_watts", [](double v) { return fmt::format("{:.2f} W", v); } },
	{ "_volts", [](double v) { return fmt::format("{:.3f} V", v); } },
	{ "_amperes", [](double v) { return fmt::format("{:.2f} A", v); } },
	{ "_hertz",
	  [](double v) {
		  return scaled(v, 1000, { "Hz", "kHz", "MHz", "GHz" });
	  } },
	{ "_ratio", [](double v) { return fmt::format("{:.0f} %", v * 100); } },
	{ "_joules", [](double v) { return fmt::format("{:.3f} J", v); } },
	{ "_seconds", [](double v) { return fmt::format("{:.3f} s", v); } },
};

const unit *unit_of(const std::string &key)
{
	for (const unit &u : units) {
		if (key.ends_with(u.suffix))
			return &u;
	}
	return nullptr;
}

std::string title(const std::string &key)
{
	const unit *const u = unit_of(key);
	std::string out = key.substr(0, key.size() - (u ? std::string(u->suffix).size() : 0));

	std::ranges::replace(out, '_', ' ');
	return out;
}

bool is_scalar(const tree &value)
{
	return !value.is_structured() ||
	       (value.is_array() && std::ranges::all_of(value, [](const tree &element) {
			return !element.is_structured();
		}));
}

bool is_flat(const tree &value)
{
	return value.is_object() && std::ranges::all_of(value, is_scalar);
}

bool is_reason(const tree &object, const std::string &key)
{
	return key.ends_with("_reason") && object.contains(key.substr(0, key.size() - 7)) &&
	       object.at(key.substr(0, key.size() - 7)).is_null();
}

std::string cell(const std::string &key, const tree &value)
{
	if (value.is_null())
		return "-";
	if (value.is_boolean())
		return value.get<bool>() ? "yes" : "no";
	if (value.is_string())
		return value.get<std::string>();
	if (value.is_array()) {
		std::string out;
		for (const tree &element : value)
			out += (out.empty() ? "" : ", ") + cell("", element);
		return out.empty() ? "none" : out;
	}
	if (const unit *const u = unit_of(key))
		return u->show(value.get<double>());
	return value.is_number_float() ? fmt::format("{:.3f}", value.get<double>()) : value.dump();
}

/* Line breaks of a value stay inside its column. */
std::string indented(std::string text, std::size_t width)
{
	while (text.ends_with('\n'))
		text.pop_back();
	for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += width + 1)
		text.insert(at + 1, width, ' ');
	return text + "\n";
}

class table_printer
{
public:
	std::string take() { return std::move(out_); }

	void any(const std::string &key, const tree &value, std::size_t depth)
	{
		if (value.is_array() && !value.empty() && std::ranges::all_of(value, is_flat)) {
			heading(key, depth);
			grid(value, depth == 0 ? 0 : depth + 1);
		} else if (value.is_array()) {
			for (const tree &element : value)
				any(key, element, depth);
		} else {
			heading(key, depth);
			fields(value, depth == 0 ? 0 : depth + 1);
		}
	}

	/* An object: its plain fields first, aligned, then what is in it. */
	void fields(const tree &object, std::size_t depth)
	{
		const std::string margin(depth * 2, ' ');
		std::size_t width = 0;

		for (const auto &[key, value] : object.items()) {
			if (is_scalar(value))
				width = std::max(width, title(key).size());
		}
		for (const auto &[key, value] : object.items()) {
			const bool is_unsaid = value.is_null() && !object.contains(key + "_reason");
			if (!is_scalar(value) || is_reason(object, key) || is_unsaid)
				continue;
			std::string text = cell(key, value);
			if (value.is_null() && object.contains(key + "_reason"))
				text += " (" + cell("", object.at(key + "_reason")) + ")";
			out_ += fmt::format("{}{:<{}}  ", margin, title(key), width);
			out_ += indented(text, margin.size() + width + 2);
		}
		for (const auto &[key, value] : object.items()) {
			if (!is_scalar(value))
				any(key, value, depth + (depth == 0));
		}
	}

private:
	void heading(const std::string &key, std::size_t depth)
	{
		if (depth == 0 && !out_.empty())
			out_ += "\n";
		if (depth > 0)
			out_ += std::string(depth * 2, ' ') + title(key) + "\n";
	}

	/* Columns are what half of the rows have; the rest of a row stands behind it, with names. */
	void grid(const tree &rows, std::size_t depth)
	{
		const std::vector<std::string> keys = columns(rows);
		std::vector<std::vector<std::string>> lines(rows.size() + 1);

		for (const std::string &key : keys) {
			std::string head = title(key);
			std::ranges::transform(head, head.begin(), [](unsigned char c) {
				return static_cast<char>(std::toupper(c));
			});
			lines[0].push_back(head);
		}
		lines[0].emplace_back();
		for (std::size_t i = 0; i < rows.size(); i++) {
			for (const std::string &key : keys)
				lines[i + 1].push_back(cell(
					key, rows[i].contains(key) ? rows[i].at(key) : tree()));
			lines[i + 1].push_back(leftover(rows[i], keys));
		}
		print_lines(lines, std::string(depth * 2, ' '));
		reasons(rows, depth);
	}

	static std::vector<std::string> columns(const tree &rows)
	{
		std::vector<std::string> keys;

		for (const tree &row : rows) {
			for (const auto &[key, value] : row.items()) {
				const auto has =
					std::ranges::count_if(rows, [&key = key](const tree &r) {
						return r.contains(key);
					});
				if (!is_reason(row, key) &&
				    std::ranges::find(keys, key) == keys.end() &&
				    2 * static_cast<std::size_t>(has) >= rows.size())
					keys.push_back(key);
			}
		}
		return keys;
	}

	static std::string leftover(const tree &row, const std::vector<std::string> &keys)
	{
		std::string out;

		for (const auto &[key, value] : row.items()) {
			if (!is_reason(row, key) && std::ranges::find(keys, key) == keys.end())
				out += (out.empty() ? "" : ", ") + title(key) + " " +
				       cell(key, value);
		}
		return out;
	}

	void print_lines(const std::vector<std::vector<std::string>> &lines,
			 const std::string &margin)
	{
		std::vector<std::size_t> widths(lines[0].size());

		for (const auto &line : lines) {
			for (std::size_t i = 0; i < line.size(); i++)
				widths[i] = std::max(widths[i], line[i].size());
		}
		for (const auto &line : lines) {
			std::string text = margin;
			for (std::size_t i = 0; i < line.size(); i++)
				text += fmt::format("{:<{}}  ", line[i], widths[i]);
			out_ += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
		}
	}

	/* Why the dashes in a grid are there, each reason once. */
	void reasons(const tree &rows, std::size_t depth)
	{
		std::vector<std::string> said;

		for (const tree &row : rows) {
			for (const auto &[key, value] : row.items()) {
				if (!is_reason(row, key))
					continue;
				std::string line = title(key.substr(0, key.size() - 7)) + ": " +
						   cell("", value);
				if (std::ranges::find(said, line) == said.end())
					said.push_back(std::move(line));
			}
		}
		for (const std::string &line : said)
			out_ += std::string(depth * 2, ' ') + "- " + line + "\n";
	}

	std::string out_;
};

} // namespace

std::string table_text(const tree &body)
{
	table_printer printer;

	/* Nothing but a list, as of cards: it needs no name. */
	if (body.size() == 1 && !is_scalar(body.front()))
		printer.any("", body.front(), 0);
	else
		printer.fields(body, 0);
	return printer.take();
}

std::string json_text(const tree &body, int indent)
{
	return body.dump(indent, ' ', false, tree::error_handler_t::replace) + "\n";
}

} // namespace accelctl
