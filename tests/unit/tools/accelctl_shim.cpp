// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Preloaded into accelctl by its tests: makes libaccel report what no emulated card does by itself.
// ACCELCTL_LIE says which call lies; all others are passed on.
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>

#include <accel/accel.h>

namespace
{

bool lies(const char *which)
{
	const char *const lie = std::getenv("ACCELCTL_LIE");

	return lie && std::strcmp(lie, which) == 0;
}

template <typename Function>
Function *next(const char *name)
{
	return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

} // namespace

int accel_device_open(const char *name, accel_device **device)
{
	if (lies("version"))
		return -EPROTO;
	return next<decltype(accel_device_open)>("accel_device_open")(name, device);
}

int accel_queue_copy(accel_queue *queue, uint64_t destination, uint64_t source, uint64_t size,
		     uint32_t tag)
{
	if (lies("copies-nothing"))
		return accel_queue_nop(queue, tag);
	return next<decltype(accel_queue_copy)>("accel_queue_copy")(queue, destination, source,
								    size, tag);
}

int accel_queue_wait(accel_queue *queue, struct accel_completion *completions, int max,
		     int64_t timeout)
{
	if (lies("lost"))
		return -ENODEV;
	return next<decltype(accel_queue_wait)>("accel_queue_wait")(queue, completions, max,
								    timeout);
}

int accel_telemetry_sensor_value(const accel_telemetry *snapshot, size_t index, double *value,
				 const char **reason)
{
	const char *const name = accel_telemetry_sensor_name(snapshot, index);
	const bool is_chip = name && std::strcmp(name, "chip_temp") == 0;

	if (is_chip && (lies("hot") || lies("warm"))) {
		*value = lies("hot") ? 101 : 90;
		return 0;
	}
	if (is_chip && lies("no-sensor")) {
		if (reason)
			*reason = "the sensor does not answer";
		return -ENODATA;
	}
	return next<decltype(accel_telemetry_sensor_value)>(
		"accel_telemetry_sensor_value")(snapshot, index, value, reason);
}

/* The first card refuses what the others take. */
int accel_firmware_load(accel_device *device, const void *image, size_t size, int64_t timeout)
{
	static accel_device *const first = device;

	if (lies("one-refuses") && device == first)
		return -EBADMSG;
	return next<decltype(accel_firmware_load)>("accel_firmware_load")(device, image, size,
									  timeout);
}
