// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "layout.hpp"

#include <cstdint>

#include <drm/oac_accel.h>
#include <drm/oac_dump.h>
#include <hw/oac_firmware.h>
#include <hw/oac_ops.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

namespace oac::abi
{

#define FIELD(f) { #f, offsetof(subject, f), sizeof(subject::f) },
#define STRUCT(s, ...)                                                     \
	[] {                                                               \
		using subject = struct s;                                  \
		return layout{ #s, sizeof(subject), { __VA_ARGS__ } };     \
	}(),
#define IOCTL(i)
const std::vector<layout> &layouts()
{
	static const std::vector<layout> all = {
#include "layout.def"
	};

	return all;
}
#undef STRUCT
#undef IOCTL

#define STRUCT(s, ...)
#define IOCTL(i) { #i, i },
const std::vector<number> &ioctls()
{
	static const std::vector<number> all = {
#include "layout.def"
	};

	return all;
}

} // namespace oac::abi
