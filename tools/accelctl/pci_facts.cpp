// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the PCI bus of this host knows about a card, by libpci.
#include "pci_facts.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include <unistd.h>

extern "C" {
#include <pci/pci.h>
}

namespace accelctl
{

namespace
{

/* libpci's error handler must not return; its own one ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void throw_error(char *format, ...)
{
	std::array<char, 256> text{};
	va_list args;

	va_start(args, format);
	std::vsnprintf(text.data(), text.size(), format, args);
	va_end(args);
	throw std::runtime_error(text.data());
}

void drop_warning(char *, ...)
{
}

std::unique_ptr<pci_access, void (*)(pci_access *)> open_bus()
{
	std::unique_ptr<pci_access, void (*)(pci_access *)> bus(pci_alloc(), pci_cleanup);

	bus->method = PCI_ACCESS_SYS_BUS_PCI;
	bus->error = throw_error;
	bus->warning = drop_warning;
	pci_init(bus.get());
	return bus;
}

std::string name_of(pci_access *bus, int what, int vendor, int device)
{
	std::array<char, 256> text{};

	return pci_lookup_name(bus, text.data(), static_cast<int>(text.size()), what, vendor,
			       device);
}

constexpr const char *link_keys[] = { "link_speed_transfers_per_second", "link_width_lanes",
				      "link_max_speed_transfers_per_second",
				      "link_max_width_lanes" };

/* Link speed codes 1..6 of the PCI Express capability. */
double transfers_per_second(unsigned code)
{
	static constexpr std::array speeds = { 0.0, 2.5e9, 5e9, 8e9, 16e9, 32e9, 64e9 };

	return code < speeds.size() ? speeds[code] : 0.0;
}

void put_link(tree &out, const std::string &which, unsigned code, unsigned width)
{
	const std::string speed_key = which + "_speed_transfers_per_second";

	if (code != 0 && transfers_per_second(code) > 0)
		out[speed_key] = transfers_per_second(code);
	else
		set_absent(out, speed_key, "the link does not tell");
	if (width != 0)
		out[which + "_width_lanes"] = width;
	else
		set_absent(out, which + "_width_lanes", "the link does not tell");
}

void put_links(tree &out, pci_dev *device)
{
	const pci_cap *const express = pci_find_cap(device, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);

	if (!express) {
		const char *const reason = geteuid() == 0 ?
						   "the card has no PCI Express capability" :
						   "reading PCI capabilities takes root";
		for (const char *key : link_keys)
			set_absent(out, key, reason);
		return;
	}
	const auto address = static_cast<int>(express->addr);
	const unsigned status = pci_read_word(device, address + PCI_EXP_LNKSTA);
	const unsigned capability = pci_read_long(device, address + PCI_EXP_LNKCAP);
	put_link(out, "link", status & PCI_EXP_LNKSTA_SPEED, (status & PCI_EXP_LNKSTA_WIDTH) >> 4);
	put_link(out, "link_max", capability & PCI_EXP_LNKCAP_SPEED,
		 (capability & PCI_EXP_LNKCAP_WIDTH) >> 4);
}

tree read_facts(pci_access *bus, pci_dev *device)
{
	tree out;

	pci_fill_info(device,
		      PCI_FILL_IDENT | PCI_FILL_CAPS | PCI_FILL_NUMA_NODE | PCI_FILL_DRIVER);
	out["vendor_name"] = name_of(bus, PCI_LOOKUP_VENDOR, device->vendor_id, device->device_id);
	out["device_name"] = name_of(bus, PCI_LOOKUP_DEVICE, device->vendor_id, device->device_id);
	put_links(out, device);
	if (device->numa_node >= 0)
		out["numa_node"] = device->numa_node;
	else
		set_absent(out, "numa_node", "the host has one node, or does not tell");
	if (const char *const driver = pci_get_string_property(device, PCI_FILL_DRIVER))
		out["driver"] = driver;
	else
		set_absent(out, "driver", "no driver is bound");
	return out;
}

tree absent_facts(const std::string &reason)
{
	tree out;

	for (const char *key : { "vendor_name", "device_name" })
		set_absent(out, key, reason);
	for (const char *key : link_keys)
		set_absent(out, key, reason);
	for (const char *key : { "numa_node", "driver" })
		set_absent(out, key, reason);
	return out;
}

} // namespace

tree pci_facts(const std::string &address)
{
	if (access("/sys/bus/pci/devices", R_OK) != 0)
		return absent_facts("/sys/bus/pci is not readable");
	try {
		const auto bus = open_bus();
		std::string text = address;
		pci_filter filter;
		pci_filter_init(bus.get(), &filter);
		if (pci_filter_parse_slot(&filter, text.data()) != nullptr)
			return absent_facts(address + " is not a PCI address");
		pci_scan_bus(bus.get());
		for (pci_dev *device = bus->devices; device; device = device->next) {
			if (pci_filter_match(&filter, device))
				return read_facts(bus.get(), device);
		}
		return absent_facts("no PCI device at " + address);
	} catch (const std::exception &e) {
		return absent_facts(e.what());
	}
}

} // namespace accelctl
