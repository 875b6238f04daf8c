// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The two entry points of this backend: which cards the module drives, and opening one.
#include <algorithm>

#include "card.hpp"
#include "node.hpp"

namespace accel::kernel
{

/* One function shows one kind of node, or a newer kernel both: the accel node is then its name. */
std::vector<listed_card> list()
{
	std::vector<listed_card> cards;

	for (const node &found : find_nodes("/sys", "accel", "accel"))
		cards.push_back({ found.path, found.pci_address, {} });
	for (const node &found : find_nodes("/sys", "drm", "renderD")) {
		auto same = std::ranges::find_if(cards, [&](const listed_card &card) {
			return !card.pci_address.empty() && card.pci_address == found.pci_address;
		});
		if (same != cards.end())
			same->aliases.push_back(found.path);
		else
			cards.push_back({ found.path, found.pci_address, {} });
	}
	return cards;
}

std::unique_ptr<backend> open(const std::string &node)
{
	return std::make_unique<card>(node);
}

} // namespace accel::kernel
