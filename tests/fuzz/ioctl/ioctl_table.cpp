// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "ioctl_table.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>

#include <drm/oac_accel.h>
#include <hw/oac_admin.h>
#include <hw/oac_health.h>
#include <layout.hpp>

namespace oac::fuzz
{

namespace
{

/* By field, in any struct; those of single structs stand below. What is in neither is a number. */
const std::map<std::string, meaning> meanings = {
	{ "context", meaning::context },
	{ "queue", meaning::queue },
	{ "handle", meaning::buffer },
	{ "syncobj", meaning::syncobj },
	{ "size", meaning::size },
	{ "offset", meaning::size },
	{ "va", meaning::size },
	{ "sq_va", meaning::size },
	{ "cq_va", meaning::size },
	{ "tail_va", meaning::size },
	{ "mmap_offset", meaning::buffer_offset },
	{ "doorbell_offset", meaning::doorbell_offset },
	{ "data", meaning::pointer },
	{ "addr", meaning::pointer },
	{ "deadline_ns", meaning::deadline },
	{ "tail", meaning::tail },
	{ "drm_oac_queue_eventfd.fd", meaning::eventfd },
	{ "drm_oac_events_open.fd", meaning::event_stream },
	{ "drm_oac_firmware_load.data", meaning::image },
	{ "drm_oac_firmware_load.size", meaning::image_size },
	{ "drm_oac_reset.deadline_ns", meaning::long_deadline },
	{ "drm_oac_self_test.deadline_ns", meaning::long_deadline },
	{ "drm_prime_handle.fd", meaning::dmabuf },
	{ "drm_syncobj_create.handle", meaning::syncobj },
	{ "drm_syncobj_destroy.handle", meaning::syncobj },
};

/* What makes a call work; 0 where nothing is said. */
const std::map<std::string, std::uint64_t> fine_values = {
	{ "drm_oac_info_get.topic", DRM_OAC_INFO_DEVICE },
	{ "drm_oac_info_get.stride", 512 },
	{ "drm_oac_info_get.count", 8 },
	{ "drm_oac_bo_create.size", ring_size },
	{ "drm_oac_bo_userptr.size", ring_size },
	{ "drm_oac_map.va", ring_va },
	{ "drm_oac_map.size", ring_size },
	{ "drm_oac_map.flags", DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE },
	{ "drm_oac_unmap.va", ring_va },
	{ "drm_oac_unmap.size", ring_size },
	{ "drm_oac_queue_create.depth_log2", depth_log2 },
	{ "drm_oac_queue_create.sq_va", ring_va },
	{ "drm_oac_queue_create.cq_va", ring_va + page_size },
	{ "drm_oac_queue_create.tail_va", ring_va + 2 * page_size },
	{ "drm_oac_queue_create.priority", OAC_PRIORITY_NORMAL },
	{ "drm_oac_queue_submit.flags", DRM_OAC_SUBMIT_TAIL },
	{ "drm_oac_queue_fence.count", 1 },
	{ "drm_oac_queue_fence.timeout_ns", 1000000 },
	{ "drm_oac_sync_store.value", 1 },
	{ "drm_oac_reset.rung", OAC_RUNG_SOFT_RESET },
};

template <typename Value>
Value look_up(const std::map<std::string, Value> &in, const std::string &of,
	      const std::string &field, Value otherwise)
{
	for (const std::string &key : { of + "." + field, field })
		if (const auto found = in.find(key); found != in.end())
			return found->second;
	return otherwise;
}

call make(const std::string &name, unsigned long request, const abi::layout &layout)
{
	static const std::vector<std::string> rationed = { "OAC_FIRMWARE_LOAD", "OAC_RESET",
							   "OAC_SELF_TEST" };
	call made = { name,
		      request,
		      layout.size,
		      {},
		      std::count(rationed.begin(), rationed.end(), name) != 0 };

	for (const abi::field &field : layout.fields)
		made.slots.push_back(
			{ field.name, field.offset, field.size,
			  look_up(meanings, layout.name, field.name, meaning::number),
			  look_up(fine_values, layout.name, field.name, std::uint64_t{}) });
	return made;
}

std::string lower(std::string text)
{
	for (char &letter : text)
		letter = static_cast<char>(std::tolower(letter));
	return text;
}

/* DRM_IOCTL_OAC_MAP takes struct drm_oac_map. */
void add_own(std::vector<call> &all)
{
	for (const abi::number &ioctl : abi::ioctls()) {
		const std::string name = ioctl.name.substr(sizeof("DRM_IOCTL_") - 1);
		const auto &layouts = abi::layouts();
		const auto layout =
			std::find_if(layouts.begin(), layouts.end(), [&](const abi::layout &one) {
				return one.name == "drm_" + lower(name);
			});

		if (layout == layouts.end())
			std::abort();
		all.push_back(make(name, ioctl.value, *layout));
	}
}

#define FIELD(s, f) { #f, offsetof(s, f), sizeof(s::f) }
void add_drm(std::vector<call> &all)
{
	const abi::layout close = { "drm_gem_close",
				    sizeof(drm_gem_close),
				    { FIELD(drm_gem_close, handle), FIELD(drm_gem_close, pad) } };
	const abi::layout prime = { "drm_prime_handle",
				    sizeof(drm_prime_handle),
				    { FIELD(drm_prime_handle, handle),
				      FIELD(drm_prime_handle, flags),
				      FIELD(drm_prime_handle, fd) } };
	const abi::layout create = { "drm_syncobj_create",
				     sizeof(drm_syncobj_create),
				     { FIELD(drm_syncobj_create, handle),
				       FIELD(drm_syncobj_create, flags) } };
	const abi::layout destroy = { "drm_syncobj_destroy",
				      sizeof(drm_syncobj_destroy),
				      { FIELD(drm_syncobj_destroy, handle),
					FIELD(drm_syncobj_destroy, pad) } };

	all.push_back(make("GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, close));
	all.push_back(make("PRIME_HANDLE_TO_FD", DRM_IOCTL_PRIME_HANDLE_TO_FD, prime));
	all.push_back(make("PRIME_FD_TO_HANDLE", DRM_IOCTL_PRIME_FD_TO_HANDLE, prime));
	all.push_back(make("SYNCOBJ_CREATE", DRM_IOCTL_SYNCOBJ_CREATE, create));
	all.push_back(make("SYNCOBJ_DESTROY", DRM_IOCTL_SYNCOBJ_DESTROY, destroy));
}
#undef FIELD

} // namespace

const std::vector<call> &calls()
{
	static const std::vector<call> all = [] {
		std::vector<call> made;

		add_own(made);
		add_drm(made);
		return made;
	}();

	return all;
}

} // namespace oac::fuzz
