// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See dump_reader.hpp; the form is that of include/uapi/drm/oac_dump.h.
#include "dump_reader.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <drm/oac_dump.h>
#include <hw/oac_admin.h>
#include <hw/oac_health.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>

#include <accel/accel.h>

namespace accelctl
{

namespace
{

[[noreturn]] void damaged(const std::string &name, const std::string &why)
{
	throw failure(exit_code::check_failed, name, why,
		      "pass a whole file of /sys/class/devcoredump/devcd*/data");
}

template <std::size_t Size>
std::string text_of(const __u8 (&bytes)[Size])
{
	std::string text(reinterpret_cast<const char *>(bytes),
			 strnlen(reinterpret_cast<const char *>(bytes), Size));
	std::ranges::replace_if(
		text, [](char c) { return c < ' ' || c > '~'; }, '?');
	return text;
}

/* Elements may be longer than they are known here, or shorter: the rest is zero. */
template <typename Element>
Element element_at(std::span<const std::byte> from, std::size_t stride)
{
	Element one{};
	std::memcpy(&one, from.data(), std::min({ sizeof(one), stride, from.size() }));
	return one;
}

std::string register_name(std::uint32_t offset)
{
	switch (offset) {
#define X(name, access) \
	case OAC_REG_##name: \
		return #name;
		OAC_REGS(X)
#undef X
	default:
		return fmt::format("{:#x}", offset);
	}
}

std::string admin_name(std::uint8_t opcode)
{
	switch (opcode) {
#define X(name) \
	case OAC_ADMIN_##name: \
		return #name;
		OAC_ADMIN_CMDS(X)
#undef X
	default:
		return fmt::format("{:#x}", opcode);
	}
}

tree json_of(const oac_dump_register &one)
{
	return { { "register", register_name(one.offset) },
		 { "value", fmt::format("{:#010x}", one.value) } };
}

tree json_of(const oac_dump_config &one)
{
	return { { "word", fmt::format("{:08x}", one.word) } };
}

tree json_of(const oac_admin_cmd &one)
{
	return { { "command", admin_name(one.opcode) },
		 { "cid", one.cid },
		 { "context", one.context },
		 { "data_address", fmt::format("{:#x}", one.data_addr) },
		 { "data_bytes", one.data_size } };
}

tree json_of(const oac_completion &one)
{
	return { { "cid", one.tag },
		 { "status", accel_code_text(one.status) },
		 { "info", one.info },
		 { "phase", one.phase & OAC_PHASE_MASK } };
}

tree json_of(const oac_dump_queue &one)
{
	return { { "queue", one.queue },
		 { "context", one.context },
		 { "pid", one.pid },
		 { "uid", one.uid },
		 { "vector", one.vector },
		 { "depth", one.depth },
		 { "driver_submit", (one.flags & DRM_OAC_QUEUE_KERNEL_SUBMIT) != 0 },
		 { "submit_tail", one.submit_tail },
		 { "taken", one.sq_head },
		 { "completed", one.completed },
		 { "state", one.state == OAC_QUEUE_RUNNING ? "running" : "error" },
		 { "status", accel_code_text(one.status) },
		 { "fault_address", fmt::format("{:#x}", one.fault_addr) },
		 { "errors", one.error_count },
		 { "waiting", one.waiting != 0 },
		 { "steps", one.steps },
		 { "still_seconds", one.still_ms / 1e3 },
		 { "compute_seconds", static_cast<double>(one.compute_ns) / 1e9 },
		 { "copy_seconds", static_cast<double>(one.copy_ns) / 1e9 } };
}

tree json_of(const oac_fw_line &one)
{
	return { { "sequence", one.seq },
		 { "card_time_seconds", static_cast<double>(one.card_ns) / 1e9 },
		 { "text", text_of(one.text) } };
}

tree json_of(const oac_dump_event &one)
{
	const char *const name = accel_event_name(one.code);
	const char *const text = accel_event_text(one.code);
	return { { "sequence", one.seq },
		 { "boot_time_seconds", static_cast<double>(one.boot_ns) / 1e9 },
		 { "event", name ? name : fmt::format("code {}", one.code) },
		 { "argument", one.arg },
		 { "generation", one.generation },
		 { "context", one.context },
		 { "queue", one.queue },
		 { "meaning", text ? text : "not known to this program" } };
}

tree json_of(const oac_dump_rung &one)
{
	return { { "rung", accel_rung_name(one.rung) },
		 { "tried", one.tried },
		 { "helped", one.helped },
		 { "last_cause", accel_cause_name(one.last_cause) },
		 { "last_seconds", static_cast<double>(one.last_ns) / 1e9 },
		 { "longest_seconds", static_cast<double>(one.longest_ns) / 1e9 } };
}

struct section {
	oac_dump_section head;
	std::span<const std::byte> bytes;
};

template <typename Element>
tree elements_of(const section &from)
{
	tree out = tree::array();
	for (std::uint32_t i = 0; i < from.head.count; i++)
		out.push_back(json_of(
			element_at<Element>(from.bytes.subspan(std::size_t{ i } * from.head.stride),
					    from.head.stride)));
	return out;
}

void put_section(tree &out, const section &from, std::string name, tree elements)
{
	std::ranges::transform(name, name.begin(),
			       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
	if (from.head.error)
		set_absent(out, name, std::strerror(static_cast<int>(from.head.error)));
	else
		out[name] = std::move(elements);
}

void put_known(tree &out, const section &from)
{
	switch (from.head.type) {
#define X(name, element) \
	case OAC_DUMP_##name: \
		put_section(out, from, #name, elements_of<element>(from)); \
		break;
		OAC_DUMP_SECTIONS(X)
#undef X
	default:
		out[fmt::format("section_{}", from.head.type)] = "not known to this program";
	}
}

/* Takes the next section off the file's rest. */
section take_section(std::span<const std::byte> &rest, const std::string &name)
{
	if (rest.size() < sizeof(oac_dump_section))
		damaged(name, "a section's header is cut off");
	section one{ element_at<oac_dump_section>(rest, sizeof(oac_dump_section)), {} };
	rest = rest.subspan(sizeof(oac_dump_section));
	const std::uint64_t wanted = std::uint64_t{ one.head.count } * one.head.stride;
	if (one.head.size > rest.size() || wanted > one.head.size ||
	    (one.head.count > 0 && one.head.stride == 0))
		damaged(name, fmt::format("section {} is longer than the file, or counts wrong",
					  one.head.type));
	one.bytes = rest.first(one.head.size);
	rest = rest.subspan(one.head.size);
	return one;
}

} // namespace

tree read_dump(std::span<const std::byte> file, const std::string &name)
{
	const auto header = element_at<oac_dump_header>(file, file.size());
	if (file.size() < sizeof(header) || header.magic != OAC_DUMP_MAGIC)
		damaged(name, "this is no dump of an OAC card");
	if (header.version != OAC_DUMP_VERSION)
		throw failure(exit_code::version, name,
			      fmt::format("its form is of version {}, this program knows {}",
					  header.version, OAC_DUMP_VERSION),
			      "use accelctl of the module's release");
	if (header.header_size < sizeof(header) || header.header_size > file.size() ||
	    header.size > file.size() || header.size < header.header_size)
		damaged(name, fmt::format("it has {} bytes of {}", file.size(), header.size));
	tree out{ { "device", text_of(header.device) },
		  { "id", fmt::format("{:#018x}", header.serial) },
		  { "cause", accel_cause_name(header.cause) },
		  { "meaning", accel_cause_text(header.cause) },
		  { "generation", header.generation },
		  { "boot_time_seconds", static_cast<double>(header.boot_ns) / 1e9 },
		  { "unix_time_seconds", static_cast<double>(header.real_ns) / 1e9 },
		  { "kernel", text_of(header.kernel) },
		  { "module", text_of(header.module) } };
	auto rest = file.subspan(header.header_size, header.size - header.header_size);
	for (std::uint32_t i = 0; i < header.section_count; i++)
		put_known(out, take_section(rest, name));
	return out;
}

} // namespace accelctl
