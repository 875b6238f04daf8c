// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Lists cards and finds the one that a name means.
#include "names.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <sys/stat.h>

#include "codes.hpp"
#include "error.hpp"

namespace accel
{

namespace
{

constexpr std::string_view EMULATED = "emu:";
constexpr std::string_view SOCKET = "socket:";

/* All of text as one number, in decimal or hex digits only. */
std::optional<std::uint64_t> parse_number(std::string_view text, int base)
{
	std::uint64_t number = 0;
	const char *end = text.data() + text.size();
	const auto [stop, error] = std::from_chars(text.data(), end, number, base);
	if (text.empty() || error != std::errc() || stop != end)
		return std::nullopt;
	return number;
}

bool is_hex(std::string_view text, std::size_t digits)
{
	return text.size() == digits && parse_number(text, 16).has_value();
}

/* "0000:03:00.0" or "03:00.0" to the long form in lower case; empty if it is neither. */
std::string pci_address(std::string_view text)
{
	std::string full = lower(std::string(text).c_str());
	if (full.size() == 7)
		full.insert(0, "0000:");
	const std::string_view view(full);
	if (view.size() != 12 || view[4] != ':' || view[7] != ':' || view[10] != '.' ||
	    !is_hex(view.substr(0, 4), 4) || !is_hex(view.substr(5, 2), 2) ||
	    !is_hex(view.substr(8, 2), 2) || !is_hex(view.substr(11, 1), 1))
		return {};
	return full;
}

bool is_socket_file(const std::string &path)
{
	struct stat status;
	return stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

std::unique_ptr<backend> open_node(const std::string &path)
{
#ifdef ACCEL_KERNEL_BACKEND
	return kernel::open(path);
#else
	throw failure(ENODEV,
		      "card " + path + ": this library was built without the kernel backend");
#endif
}

std::unique_ptr<backend> open_listed(const listed_card &card)
{
	const std::string_view name(card.name);
	if (name.starts_with(EMULATED) || name.starts_with(SOCKET))
		return direct::open(card.name);
	return open_node(card.name);
}

[[noreturn]] void throw_no_card(const std::string &name)
{
	throw failure(ENODEV,
		      "card " + name +
			      ": there is none of this name; 'accelctl list' shows those there "
			      "are, ACCEL_EMU=1 in the environment gives an emulated one");
}

std::unique_ptr<backend> open_emulated(std::uint64_t index)
{
	const auto count = parse_emulated(std::getenv("ACCEL_EMU"));
	const std::string name = std::string(EMULATED) + std::to_string(index);
	if (index >= EMULATED_MAX)
		throw failure(ENODEV, "card " + name + ": emulated cards are emu:0 to emu:63");
	if (count && index >= *count)
		throw failure(ENODEV, "card " + name + ": ACCEL_EMU=" + std::to_string(*count) +
					      " gives emu:0 to emu:" + std::to_string(*count - 1) +
					      "; raise it");
	return direct::open(name);
}

/* Serial numbers are the cards' own: each card is asked. One that cannot be opened is not it. */
std::unique_ptr<backend> open_serial(std::uint64_t serial, const std::string &name)
{
	for (const listed_card &card : list_cards()) {
		std::unique_ptr<backend> opened;
		try {
			opened = open_listed(card);
			if (opened->info().serial == serial)
				return opened;
		} catch (const std::system_error &) {
			continue;
		}
	}
	throw_no_card(name);
}

} // namespace

card_name parse_name(const std::string &name)
{
	using form = card_name::form;
	const std::string_view view(name);
	if (view.starts_with(EMULATED)) {
		const auto index = parse_number(view.substr(EMULATED.size()), 10);
		return index ? card_name{ form::emulated, *index, {} } : card_name{};
	}
	if (view.starts_with(SOCKET)) {
		const std::string path(view.substr(SOCKET.size()));
		return path.empty() ? card_name{} : card_name{ form::socket, 0, path };
	}
	if (view.starts_with('/'))
		return { form::path, 0, name };
	if (view.starts_with("0x") && is_hex(view.substr(2), 16))
		return { form::serial, *parse_number(view.substr(2), 16), {} };
	if (const auto index = parse_number(view, 10))
		return { form::index, *index, {} };
	if (std::string address = pci_address(view); !address.empty())
		return { form::pci_address, 0, std::move(address) };
	return {};
}

std::optional<unsigned> parse_emulated(const char *value)
{
	if (!value)
		return std::nullopt;
	const auto count = parse_number(value, 10);
	if (!count || *count < 1 || *count > EMULATED_MAX)
		throw failure(EINVAL,
			      "ACCEL_EMU='" + std::string(value) +
				      "': not a number from 1 to 64; say how many emulated cards, "
				      "or unset it");
	return static_cast<unsigned>(*count);
}

std::vector<listed_card> list_cards()
{
	if (const auto count = parse_emulated(std::getenv("ACCEL_EMU")))
		return direct::list_emulated(*count);
	std::vector<listed_card> cards;
#ifdef ACCEL_KERNEL_BACKEND
	cards = kernel::list();
#endif
	if (const char *directory = std::getenv("ACCEL_SOCKETS")) {
		for (listed_card &card : direct::list_sockets(directory))
			cards.push_back(std::move(card));
	}
	return cards;
}

std::unique_ptr<backend> open_by_name(const char *name)
{
	using form = card_name::form;
	const std::string text = name ? name : "0";
	const card_name wanted = parse_name(text);
	switch (wanted.kind) {
	case form::emulated:
		return open_emulated(wanted.number);
	case form::socket:
		return direct::open(text);
	case form::path:
		if (is_socket_file(text))
			return direct::open(std::string(SOCKET) + text);
		return open_node(text);
	case form::serial:
		return open_serial(wanted.number, text);
	case form::index: {
		const auto cards = list_cards();
		if (cards.empty())
			throw failure(ENODEV,
				      "no card found: load the oac module, set ACCEL_SOCKETS to a "
				      "directory of cards, or ACCEL_EMU=1 for an emulated one");
		if (wanted.number < cards.size())
			return open_listed(cards[wanted.number]);
		break;
	}
	case form::pci_address:
		for (const listed_card &card : list_cards()) {
			if (card.pci_address == wanted.text)
				return open_listed(card);
		}
		break;
	case form::unknown:
		throw failure(ENODEV,
			      "card '" + text +
				      "': not a name of a card; names are /dev/accel/accelN, "
				      "/dev/dri/renderDN, 0000:03:00.0, a serial number (0x and 16 "
				      "hex digits), emu:N, socket:PATH, or an index");
	}
	throw_no_card(text);
}

} // namespace accel
