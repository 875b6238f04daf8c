// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the module knows about a card: its info topics, and the firmware that changes most of them.
// Every count that comes back is checked against what was offered.
#include "card.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <drm/oac_accel.h>

#include "../../src/clock.hpp"
#include "../../src/codes.hpp"
#include "../../src/error.hpp"
#include "../../src/event_of.hpp"

namespace accel::kernel
{

namespace
{

constexpr std::size_t EVENTS_PER_CALL = 256;

template <std::size_t Size>
std::string text_of(const __u8 (&bytes)[Size])
{
	auto *text = reinterpret_cast<const char *>(bytes);
	return { text, strnlen(text, Size) };
}

std::string pci_address_of(const drm_oac_info_device &raw)
{
	std::array<char, 32> text{};
	std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.%u", raw.pci_domain, raw.pci_bus,
		      raw.pci_device, unsigned{ raw.pci_function });
	return text.data();
}

device_info convert(const drm_oac_info_device &raw)
{
	device_info info;

	info.model = text_of(raw.model);
	info.serial = raw.serial;
	info.lmem_size = raw.lmem_size;
	info.features = raw.features;
	std::copy(std::begin(raw.cmd_mask), std::end(raw.cmd_mask), info.cmd_mask.begin());
	std::copy(std::begin(raw.op_mask), std::end(raw.op_mask), info.op_mask.begin());
	std::copy(std::begin(raw.fw_version), std::end(raw.fw_version), info.fw_version.begin());
	info.security_version = raw.security_version;
	info.engine_count = raw.engine_count;
	info.engine_clock_khz = raw.engine_clock_khz;
	info.power_limit_mw = raw.power_limit_mw;
	info.max_contexts = raw.max_contexts;
	info.max_queues = raw.max_queues;
	info.max_depth_log2 = raw.max_depth_log2;
	info.state = raw.state;
	info.boot_fail = raw.boot_fail;
	info.boot_progress = raw.boot_progress;
	info.reset_count = raw.reset_count;
	info.protocol = raw.protocol;
	info.numa_node = raw.numa_node;
	info.contexts = raw.contexts;
	info.queues = raw.queues;
	info.lmem_free = raw.lmem_free;
	info.has_user_submit = (raw.driver_features & DRM_OAC_FEATURE_USER_SUBMIT) != 0;
	info.has_wrap = (raw.driver_features & DRM_OAC_FEATURE_USERPTR) != 0;
	info.has_sync = (raw.driver_features & DRM_OAC_FEATURE_SYNC) != 0;
	info.has_peer = (raw.driver_features & DRM_OAC_FEATURE_PEER) != 0;
	info.pci_address = pci_address_of(raw);
	return info;
}

sensor_reading convert(const drm_oac_info_sensor &raw)
{
	sensor_reading sensor;

	sensor.id = raw.id;
	sensor.type = raw.type;
	sensor.absent = raw.absent;
	sensor.flags = raw.flags;
	sensor.value = raw.value;
	sensor.warn = raw.warn;
	sensor.critical = raw.critical;
	sensor.card_ns = raw.card_ns;
	sensor.label = text_of(raw.label);
	return sensor;
}

event_reading convert(const drm_oac_info_event &raw)
{
	return event_of(raw);
}

std::string holder_text(std::int32_t holder)
{
	return holder > 0 ? ", one by process " + std::to_string(holder) : "";
}

client_reading convert(const drm_oac_info_client &raw)
{
	client_reading client;

	client.id = raw.id;
	client.pid = raw.pid;
	client.uid = raw.uid;
	client.contexts = raw.contexts;
	client.queues = raw.queues;
	client.host_bytes = raw.host_bytes;
	client.local_bytes = raw.local_bytes;
	client.pinned_bytes = raw.pinned_bytes;
	client.compute_ns = raw.compute_ns;
	client.copy_ns = raw.copy_ns;
	client.commands = raw.commands;
	return client;
}

} // namespace

std::uint32_t card::read_topic(std::uint32_t topic, std::uint64_t start, void *data,
			       std::size_t stride, std::size_t count, std::int64_t deadline)
{
	drm_oac_info_get request = {};

	request.topic = topic;
	request.stride = static_cast<std::uint32_t>(stride);
	request.count = static_cast<std::uint32_t>(count);
	request.start = start;
	request.data = reinterpret_cast<std::uintptr_t>(data);
	request.deadline_ns = static_cast<std::uint64_t>(deadline);
	call(DRM_IOCTL_OAC_INFO_GET, &request, "read information");
	if (count != 0 && request.count > count)
		throw failure(EPROTO, name_ + ": the module returned more than it was asked for; "
					      "install module and library of one release");
	return request.count;
}

device_info card::info()
{
	drm_oac_info_device raw = {};

	if (read_topic(DRM_OAC_INFO_DEVICE, 0, &raw, sizeof(raw), 1) != 1)
		throw failure(EPROTO, name_ + ": the module does not describe the device; install "
					      "module and library of one release");
	device_info info = convert(raw);
	info.node = name_;
	return info;
}

usage_reading card::context_usage(std::uint32_t context)
{
	for (const auto &raw : read_table<drm_oac_info_context>(DRM_OAC_INFO_CONTEXTS)) {
		if (raw.context == context)
			return { raw.compute_ns, raw.copy_ns, raw.commands, raw.errors };
	}
	throw failure(ENOENT, name_ + ": the module does not know this context");
}

std::vector<client_reading> card::clients()
{
	std::vector<client_reading> clients;

	for (const auto &raw : read_table<drm_oac_info_client>(DRM_OAC_INFO_CLIENTS))
		clients.push_back(convert(raw));
	return clients;
}

telemetry_reading card::telemetry(std::int64_t deadline)
{
	telemetry_reading reading;

	for (const auto &raw : read_table<drm_oac_info_sensor>(DRM_OAC_INFO_SENSORS, deadline))
		reading.sensors.push_back(convert(raw));
	for (const auto &raw : read_table<drm_oac_info_counter>(DRM_OAC_INFO_COUNTERS, deadline))
		reading.counters.push_back({ raw.id, raw.value });
	return reading;
}

std::size_t card::events(std::uint64_t from, std::span<event_reading> events)
{
	std::vector<drm_oac_info_event> part(std::min(events.size(), EVENTS_PER_CALL));
	std::size_t have = 0;

	while (have < events.size()) {
		std::size_t want = std::min(part.size(), events.size() - have);
		std::uint32_t got =
			read_topic(DRM_OAC_INFO_EVENTS, from, part.data(), sizeof(part[0]), want);
		for (std::uint32_t i = 0; i < got; i++)
			events[have++] = convert(part[i]);
		if (got < want)
			break;
		from = events[have - 1].sequence + 1;
	}
	return have;
}

namespace
{

/* 0: no limit but the module's own. Rounded up, so that what is left is never taken for that. */
std::uint32_t milliseconds_until(std::int64_t deadline)
{
	if (deadline == INT64_MAX)
		return 0;
	const std::int64_t left = std::max<std::int64_t>(deadline - now_ns(), 1);
	return static_cast<std::uint32_t>(
		std::min<std::int64_t>((left - 1) / NS_PER_MS + 1, UINT32_MAX));
}

} // namespace

/* The module has a limit of its own, too: the smaller one counts. */
void card::firmware_load(std::span<const std::byte> image, std::int64_t deadline)
{
	drm_oac_firmware_load request = {};

	request.timeout_ms = milliseconds_until(deadline);
	request.data = reinterpret_cast<std::uintptr_t>(image.data());
	request.size = image.size();
	int result = try_call(DRM_IOCTL_OAC_FIRMWARE_LOAD, &request);
	switch (result) {
	case 0:
		return;
	case -EBUSY:
		throw failure(EBUSY, name_ + ": load firmware: contexts are open on the card" +
					     holder_text(request.holder) +
					     "; end the programs that use it");
	case -EBADMSG:
		throw failure(EBADMSG, name_ + ": the card refused the firmware: " +
					       boot_fail_text(request.fail) +
					       "; load a good image");
	case -EPERM:
		throw failure(EPERM, name_ + ": loading firmware needs CAP_SYS_ADMIN; run it as "
					     "root");
	case -EFBIG:
		throw failure(EFBIG, name_ + ": the image is larger than a card takes; is it a "
					     "firmware image?");
	default:
		fail(-result, "load firmware");
	}
}

} // namespace accel::kernel
