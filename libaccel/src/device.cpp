// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's device: open and close, what it is.
#include "device.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <optional>

#include <hw/oac_admin.h>
#include <hw/oac_regs.h>

#include "codes.hpp"
#include "names.hpp"

using accel::device_info;
using accel::failure;
using accel::guard;

int accel_device_open(const char *name, accel_device **device)
{
	return guard([&] {
		accel::require(device, "device");
		auto opened = std::make_unique<accel_device>();
		opened->backend = accel::open_by_name(name);
		*device = opened.release();
		return 0;
	});
}

int accel_device_close(accel_device *device)
{
	return guard([&] {
		if (!device)
			return 0;
		accel::require(device, "device");
		if (device->children.load() > 0)
			throw failure(EBUSY, accel::card_text(*device->backend) +
						     ": contexts, buffers or event streams exist; "
						     "destroy them first");
		const std::unique_ptr<accel_device> closed(device);
		return 0;
	});
}

namespace
{

std::string version_text(std::uint32_t major, std::uint32_t minor)
{
	return std::to_string(major) + "." + std::to_string(minor);
}

std::optional<std::string> absent_if_empty(const std::string &text)
{
	return text.empty() ? std::nullopt : std::optional(text);
}

/* Texts that need no word with the card. */
std::optional<std::string> fixed_text(const accel::backend &card, accel_string which)
{
	switch (which) {
	case ACCEL_STRING_NAME:
		return card.name();
	case ACCEL_STRING_BACKEND:
		return card.kind();
	case ACCEL_STRING_STATE:
		return card.is_lost() ? std::optional<std::string>("lost") : std::nullopt;
	default:
		return std::nullopt;
	}
}

std::optional<std::string> info_text(const device_info &info, accel_string which)
{
	const bool is_running = info.state == OAC_STATE_RUNNING;
	switch (which) {
	case ACCEL_STRING_MODEL:
		return is_running ? absent_if_empty(info.model) : std::nullopt;
	case ACCEL_STRING_SERIAL: {
		char text[32];
		std::snprintf(text, sizeof(text), "0x%016" PRIx64, info.serial);
		return text;
	}
	case ACCEL_STRING_PCI_ADDRESS:
		return absent_if_empty(info.pci_address);
	case ACCEL_STRING_FIRMWARE_VERSION:
		if (!is_running)
			return std::nullopt;
		return version_text(info.fw_version[0], info.fw_version[1]) + "." +
		       std::to_string(info.fw_version[2]);
	case ACCEL_STRING_STATE:
		return accel::state_text(info.state);
	case ACCEL_STRING_FAIL_REASON:
		if (info.state != OAC_STATE_FAILED)
			return std::nullopt;
		return accel::boot_fail_text(info.boot_fail);
	case ACCEL_STRING_NODE:
		return absent_if_empty(info.node);
	case ACCEL_STRING_PROTOCOL:
		return version_text(info.protocol >> OAC_PROTOCOL_MAJOR_SHIFT,
				    info.protocol & OAC_PROTOCOL_MINOR_MASK);
	default:
		throw failure(EINVAL, "accel_device_string: there is no text of this number");
	}
}

/* What may have changed without the driver. */
bool is_of_now(accel_string which)
{
	return which == ACCEL_STRING_STATE || which == ACCEL_STRING_FAIL_REASON;
}

/* What a number is, or nothing where it is not known. */
std::optional<std::uint64_t> info_number(const device_info &info, accel_number which)
{
	switch (which) {
	case ACCEL_NUMBER_NUMA_NODE:
		if (info.numa_node < 0)
			return std::nullopt;
		return static_cast<std::uint64_t>(info.numa_node);
	case ACCEL_NUMBER_LOCAL_MEMORY_BYTES:
		return info.lmem_size;
	case ACCEL_NUMBER_SECURITY_VERSION:
		return info.security_version;
	case ACCEL_NUMBER_RESET_COUNT:
		return info.reset_count;
	case ACCEL_NUMBER_CONTEXTS:
		return info.contexts;
	case ACCEL_NUMBER_QUEUES:
		return info.queues;
	case ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES:
		return info.lmem_free;
	case ACCEL_NUMBER_FEATURE_USER_SUBMIT:
		return info.has_user_submit;
	case ACCEL_NUMBER_FEATURE_WRAP:
		return info.has_wrap;
	case ACCEL_NUMBER_FEATURE_SYNC:
		return info.has_sync;
	case ACCEL_NUMBER_FEATURE_PEER:
		return info.has_peer;
	default:
		break;
	}
	const bool is_running = info.state == OAC_STATE_RUNNING;
	std::uint64_t number;
	switch (which) {
	case ACCEL_NUMBER_ENGINES:
		number = info.engine_count;
		break;
	case ACCEL_NUMBER_ENGINE_CLOCK_HZ:
		number = info.engine_clock_khz * std::uint64_t{ 1000 };
		break;
	case ACCEL_NUMBER_MAX_CONTEXTS:
		number = info.max_contexts;
		break;
	case ACCEL_NUMBER_MAX_QUEUES:
		number = info.max_queues;
		break;
	case ACCEL_NUMBER_MAX_QUEUE_DEPTH:
		number = std::uint64_t{ 1 } << info.max_depth_log2;
		break;
	case ACCEL_NUMBER_POWER_LIMIT_MILLIWATTS:
		number = info.power_limit_mw;
		break;
	case ACCEL_NUMBER_FEATURE_INT8:
		number = (info.features & OAC_FEATURE_INT8) != 0;
		break;
	case ACCEL_NUMBER_FEATURE_FP32:
		number = (info.features & OAC_FEATURE_FP32) != 0;
		break;
	default:
		throw failure(EINVAL, "accel_device_number: there is no number of this kind");
	}
	return is_running ? std::optional(number) : std::nullopt;
}

} // namespace

const char *accel_device_string(accel_device *device, enum accel_string which)
{
	const char *text = nullptr;
	guard([&] {
		accel::require(device, "device");
		auto found = fixed_text(*device->backend, which);
		if (!found)
			found = info_text(is_of_now(which) ? device->backend->info() :
							     device->backend->known(),
					  which);
		if (!found)
			return 0;
		const std::lock_guard lock(device->text_mutex);
		std::string &kept = device->texts[which];
		if (kept != *found)
			kept = *std::move(found);
		text = kept.c_str();
		return 0;
	});
	return text;
}

int accel_device_number(accel_device *device, enum accel_number which, uint64_t *value)
{
	return guard([&] {
		accel::require(device, "device");
		accel::require(value, "value");
		accel::backend &card = *device->backend;
		const bool is_known = which != ACCEL_NUMBER_RESET_COUNT;
		const auto number = info_number(is_known ? card.known() : card.info(), which);
		if (!number)
			return accel::error_record(ENODATA,
						   accel::card_text(*device->backend).c_str(),
						   "this number is not known now; firmware may "
						   "have to run first");
		*value = *number;
		return 0;
	});
}

int accel_device_clients(accel_device *device, struct accel_client *clients, int max)
{
	return guard([&] {
		accel::require(device, "device");
		if (max < 0 || (max > 0 && !clients))
			throw failure(EINVAL, "accel_device_clients: max is negative, or there is "
					      "no place for so many");
		const auto found = device->backend->clients();
		for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), max); i++) {
			const accel::client_reading &one = found[i];
			clients[i] = { one.id,		one.pid,	  one.uid,
				       one.contexts,	one.queues,	  one.host_bytes,
				       one.local_bytes, one.pinned_bytes, one.compute_ns,
				       one.copy_ns,	one.commands };
		}
		return static_cast<int>(found.size());
	});
}
