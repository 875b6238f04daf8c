// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's firmware load: the image goes to the card unread, whose ROM is the judge of it.
#include "clock.hpp"
#include "device.hpp"

#include <hw/oac_firmware.h>

using accel::failure;
using accel::guard;

int accel_firmware_load(accel_device *device, const void *image, size_t size, int64_t timeout)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(image, "image");
		if (size == 0 || size > OAC_FW_IMAGE_SIZE_MAX)
			throw failure(EINVAL, "accel_firmware_load: an image has 1 byte to 64 MiB");
		if (!accel::is_timeout(timeout))
			throw failure(EINVAL,
				      "accel_firmware_load: the timeout must not be negative");
		if (timeout == 0)
			throw failure(ETIMEDOUT, "accel_firmware_load: no card boots in no time; "
						 "nothing was changed, allow some seconds");
		device->backend->firmware_load({ static_cast<const std::byte *>(image), size },
					       accel::deadline_after(timeout));
		return 0;
	});
}
