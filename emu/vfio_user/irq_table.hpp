// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Which eventfd each MSI-X vector of the card writes to. The vector table itself is the host's
// (QEMU's or libaccel's); an unconnected vector is silent.
#pragma once

#include <vector>

#include "unique_fd.hpp"

namespace oac::vfio_user
{

class irq_table
{
public:
	explicit irq_table(unsigned vectors) : fds_(vectors) {}

	unsigned size() const { return static_cast<unsigned>(fds_.size()); }
	/* 0 or -EINVAL when fd is no eventfd (writing to it might block). */
	int connect(unsigned vector, unique_fd &fd);
	void disconnect(unsigned vector) { fds_[vector].reset(); }
	void clear();
	void trigger(unsigned vector) const;

private:
	std::vector<unique_fd> fds_;
};

} // namespace oac::vfio_user
