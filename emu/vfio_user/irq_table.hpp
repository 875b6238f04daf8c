// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Which eventfd each MSI-X vector of the card writes to. The vector table itself is the host's
// (QEMU's or libaccel's); an unconnected vector is silent.
#pragma once

#include <array>

#include <hw/oac_regs.h>

#include "unique_fd.hpp"

namespace oac::vfio_user
{

class irq_table
{
public:
	/* 0 or -EINVAL when fd is no eventfd (writing to it might block). */
	int connect(unsigned vector, unique_fd &fd);
	void disconnect(unsigned vector) { fds_[vector].reset(); }
	void clear();
	void trigger(unsigned vector) const;

private:
	std::array<unique_fd, OAC_MSIX_VECTORS> fds_;
};

} // namespace oac::vfio_user
