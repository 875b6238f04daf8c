// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Device nodes of the oac module: which there are, and opening one after making sure that it is
// one. Nodes are found in sysfs, so that listing opens nothing and needs no right.
#pragma once

#include <string>
#include <vector>

namespace accel::kernel
{

struct node {
	std::string path;		/* "/dev/accel/accel0" */
	std::string pci_address;	/* "0000:03:00.0"; empty: on no PCI bus */
	unsigned number;		/* the class's own: 0, 1 ... or 128, 129 ... */
};

/*
 * All nodes of one class ("accel": accelN, "drm": renderDN) whose driver is oac, by number. root
 * is "/sys" outside of tests.
 */
std::vector<node> find_nodes(const std::string &root, const char *class_name, const char *prefix);

/* A descriptor of the node, owned by the caller. Throws failure: ENODEV, EACCES, EPROTO. */
int open_node(const std::string &path);

} // namespace accel::kernel
