// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See firmware_image.hpp.
#include "firmware_image.hpp"

#include <algorithm>
#include <cstring>

#include <hw/oac_ops.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>
#include <sodium.h>

namespace oac::emu
{

namespace
{

const unsigned char *chars(std::span<const std::byte> bytes)
{
	return reinterpret_cast<const unsigned char *>(bytes.data());
}

bool is_known_type(std::uint32_t type)
{
	switch (type) {
#define OAC_FW_CASE(name) case OAC_FW_SECTION_##name:
		OAC_FW_SECTION_TYPES(OAC_FW_CASE)
#undef OAC_FW_CASE
		return true;
	}
	return false;
}

/* Inside the signed part, aligned, behind the table. */
bool is_placed(const oac_fw_section &section, const oac_fw_header &header)
{
	const std::uint64_t end = header.image_size - OAC_FW_SIGNATURE_SIZE;

	return section.offset % OAC_FW_ALIGN == 0 && section.offset >= header.header_size &&
	       section.offset <= end && section.size <= end - section.offset;
}

bool overlap(const oac_fw_section &a, const oac_fw_section &b)
{
	return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

unsigned read_table(firmware_image &image)
{
	const oac_fw_header &header = image.header;
	unsigned manifests = 0;

	for (std::size_t i = 0; i < header.section_count; i++) {
		oac_fw_section section;
		std::memcpy(&section, image.bytes.data() + sizeof(header) + i * sizeof(section),
			    sizeof(section));
		if (!is_known_type(section.type) || section.rsvd || section.rsvd1 ||
		    !is_placed(section, header))
			return OAC_FAIL_FORMAT;
		for (const oac_fw_section &other : image.sections) {
			if (overlap(section, other))
				return OAC_FAIL_FORMAT;
		}
		manifests += section.type == OAC_FW_SECTION_MANIFEST;
		image.sections.push_back(section);
	}
	return manifests == 1 ? OAC_FAIL_NONE : OAC_FAIL_FORMAT;
}

/* Only bits of the list are set. */
template <std::size_t Count>
bool is_subset(const __le64 (&mask)[OAC_MASK_WORDS], const unsigned (&known)[Count])
{
	std::uint64_t allowed[OAC_MASK_WORDS] = {};

	for (const unsigned bit : known)
		allowed[bit / 64] |= std::uint64_t{ 1 } << (bit % 64);
	for (std::size_t i = 0; i < OAC_MASK_WORDS; i++) {
		if (mask[i] & ~allowed[i])
			return false;
	}
	return true;
}

bool are_masks_valid(const oac_fw_manifest &m)
{
#define OAC_CMD_NUMBER(name) OAC_CMD_##name,
#define OAC_OP_NUMBER(name) OAC_OP_##name,
	static constexpr unsigned commands[] = { OAC_CMDS(OAC_CMD_NUMBER) };
	static constexpr unsigned operators[] = { OAC_OPS(OAC_OP_NUMBER) };
#undef OAC_CMD_NUMBER
#undef OAC_OP_NUMBER

	return is_subset(m.cmd_mask, commands) && is_subset(m.op_mask, operators) &&
	       !(m.features & ~OAC_FEATURES_MASK);
}

bool is_between(std::uint64_t value, std::uint64_t low, std::uint64_t high)
{
	return value >= low && value <= high;
}

bool are_limits_valid(const oac_fw_manifest &m, unsigned doorbell_pages)
{
	return is_between(m.engine_count, 1, OAC_FW_ENGINES_MAX) && m.engine_clock_khz &&
	       is_between(m.max_contexts, 1, OAC_FW_CONTEXTS_MAX) &&
	       is_between(m.max_queues, 1, doorbell_pages - 1) &&
	       is_between(m.max_depth_log2, 1, OAC_FW_DEPTH_LOG2_MAX) &&
	       is_between(m.max_segments, 1, OAC_FW_SEGMENTS_MAX) &&
	       is_between(m.max_maps, 1, OAC_FW_MAPS_MAX) &&
	       is_between(m.event_capacity, 1, OAC_FW_EVENTS_MAX) && m.power_limit_mw &&
	       m.idle_power_mw <= m.power_limit_mw;
}

/* NUL padded ASCII; text that fills the field has no NUL, which a label must have. */
bool is_text(std::span<const __u8> text, bool terminated)
{
	const auto end = std::find(text.begin(), text.end(), 0);

	if (terminated && end == text.end())
		return false;
	return std::all_of(text.begin(), end, [](__u8 c) { return c >= ' ' && c <= '~'; }) &&
	       std::all_of(end, text.end(), [](__u8 c) { return c == 0; });
}

bool is_sensor_valid(const oac_sensor_info &sensor)
{
	unsigned type = 0;

	switch (sensor.id) {
#define OAC_SENSOR_CASE(name, kind)       \
	case OAC_SENSOR_ID_##name:        \
		type = OAC_SENSOR_##kind; \
		break;
		OAC_SENSOR_IDS(OAC_SENSOR_CASE)
#undef OAC_SENSOR_CASE
	default:
		return false;
	}
	return sensor.type == type && !(sensor.flags & ~OAC_SENSOR_FLAGS_MASK) &&
	       is_text(sensor.label, true);
}

bool are_sensors_valid(const oac_fw_manifest &m)
{
	const std::span<const oac_sensor_info> all(m.sensors);
	static constexpr oac_sensor_info none{};

	if (m.sensor_count > OAC_SENSOR_MAX)
		return false;
	for (std::size_t i = 0; i < m.sensor_count; i++) {
		if (!is_sensor_valid(all[i]))
			return false;
		for (std::size_t other = 0; other < i; other++) {
			if (all[other].id == all[i].id)
				return false;
		}
	}
	for (const oac_sensor_info &rest : all.subspan(m.sensor_count)) {
		if (std::memcmp(&rest, &none, sizeof(rest)) != 0)
			return false;
	}
	return true;
}

bool is_zero(std::span<const __le32> words)
{
	return std::all_of(words.begin(), words.end(), [](__le32 word) { return word == 0; });
}

} // namespace

unsigned check_image_header(std::span<const std::byte> given, firmware_image &image)
{
	oac_fw_header &header = image.header;

	image.sections.clear();
	if (given.size() < sizeof(header) + OAC_FW_SIGNATURE_SIZE)
		return OAC_FAIL_TRUNCATED;
	std::memcpy(&header, given.data(), sizeof(header));
	if (header.magic != OAC_FW_MAGIC)
		return OAC_FAIL_MAGIC;
	if (header.image_size > given.size())
		return OAC_FAIL_TRUNCATED;
	if (header.format != OAC_FW_FORMAT || !is_zero(header.rsvd) ||
	    !is_between(header.section_count, 1, OAC_FW_SECTIONS_MAX) ||
	    header.header_size != sizeof(header) + header.section_count * sizeof(oac_fw_section) ||
	    !is_between(header.image_size, header.header_size + OAC_FW_SIGNATURE_SIZE,
			OAC_FW_IMAGE_SIZE_MAX))
		return OAC_FAIL_FORMAT;
	image.bytes = given.first(header.image_size);
	const unsigned table = read_table(image);
	if (table != OAC_FAIL_NONE)
		return table;
	if (header.family != OAC_FW_FAMILY_OAC1)
		return OAC_FAIL_FAMILY;
	return header.protocol_major == OAC_PROTOCOL_MAJOR ? OAC_FAIL_NONE : OAC_FAIL_PROTOCOL;
}

unsigned check_image_signature(const firmware_image &image, fw_key key)
{
	const std::size_t length = image.bytes.size() - OAC_FW_SIGNATURE_SIZE;

	return crypto_sign_verify_detached(chars(image.bytes.subspan(length)), chars(image.bytes),
					   length, key.data()) ?
		       OAC_FAIL_SIGNATURE :
		       OAC_FAIL_NONE;
}

unsigned check_section_hash(const firmware_image &image, const oac_fw_section &section)
{
	const std::span<const std::byte> bytes = image.section(section);
	unsigned char hash[OAC_FW_HASH_SIZE];

	crypto_hash_sha256(hash, chars(bytes), bytes.size());
	return std::memcmp(hash, section.sha256, sizeof(hash)) ? OAC_FAIL_HASH : OAC_FAIL_NONE;
}

unsigned check_image_version(const firmware_image &image, std::uint32_t security_version)
{
	return image.header.security_version < security_version ? OAC_FAIL_ROLLBACK : OAC_FAIL_NONE;
}

unsigned check_image_manifest(firmware_image &image, unsigned doorbell_pages)
{
	const auto section = std::find_if(image.sections.begin(), image.sections.end(),
					  [](const oac_fw_section &s) {
						  return s.type == OAC_FW_SECTION_MANIFEST;
					  });
	oac_fw_manifest &manifest = image.manifest;

	if (section->size != sizeof(manifest))
		return OAC_FAIL_MANIFEST;
	std::memcpy(&manifest, image.section(*section).data(), sizeof(manifest));
	const bool valid = is_text(manifest.model, false) && is_zero(manifest.rsvd) &&
			   are_masks_valid(manifest) &&
			   are_limits_valid(manifest, doorbell_pages) &&
			   are_sensors_valid(manifest);
	return valid ? OAC_FAIL_NONE : OAC_FAIL_MANIFEST;
}

} // namespace oac::emu
