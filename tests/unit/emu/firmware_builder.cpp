// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See firmware_builder.hpp.
#include "firmware_builder.hpp"

#include <cstring>

#include <sodium.h>

namespace oac::emu::test
{

namespace
{

struct key_pair {
	std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> open;
	std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret;
};

const key_pair &keys()
{
	static const key_pair pair = [] {
		key_pair made;
		std::array<std::uint8_t, crypto_sign_SEEDBYTES> seed;
		seed.fill(7);
		crypto_sign_seed_keypair(made.open.data(), made.secret.data(), seed.data());
		return made;
	}();
	return pair;
}

void set_bit(__le64 (&mask)[OAC_MASK_WORDS], unsigned bit)
{
	mask[bit / 64] |= std::uint64_t{ 1 } << (bit % 64);
}

void add_sensor(oac_fw_manifest &m, std::uint16_t id, std::uint16_t type, const char *label)
{
	oac_sensor_info &sensor = m.sensors[m.sensor_count++];

	sensor.id = id;
	sensor.type = type;
	std::strncpy(reinterpret_cast<char *>(sensor.label), label, sizeof(sensor.label) - 1);
	if (type == OAC_SENSOR_TEMPERATURE) {
		sensor.flags = OAC_SENSOR_HAS_WARN | OAC_SENSOR_HAS_CRITICAL;
		sensor.warn = 70000;
		sensor.critical = 95000;
	}
}

unsigned char *chars(std::byte *bytes)
{
	return reinterpret_cast<unsigned char *>(bytes);
}

std::size_t aligned(std::size_t size)
{
	return (size + OAC_FW_ALIGN - 1) / OAC_FW_ALIGN * OAC_FW_ALIGN;
}

} // namespace

oac_fw_manifest default_manifest()
{
	oac_fw_manifest m{};

	std::strcpy(reinterpret_cast<char *>(m.model), "OAC test card");
	m.features = OAC_FEATURES_MASK;
#define SET_CMD(name) set_bit(m.cmd_mask, OAC_CMD_##name);
#define SET_OP(name) set_bit(m.op_mask, OAC_OP_##name);
#define ADD_SENSOR(name, type) add_sensor(m, OAC_SENSOR_ID_##name, OAC_SENSOR_##type, #name);
	OAC_CMDS(SET_CMD)
	OAC_OPS(SET_OP)
	OAC_SENSOR_IDS(ADD_SENSOR)
#undef SET_CMD
#undef SET_OP
#undef ADD_SENSOR
	m.engine_count = 12;
	m.engine_clock_khz = 800000;
	m.max_contexts = 8;
	m.max_queues = 15;
	m.max_depth_log2 = 10;
	m.max_segments = 64;
	m.max_maps = 256;
	m.event_capacity = 32;
	m.power_limit_mw = 12000;
	m.idle_power_mw = 3000;
	return m;
}

std::array<std::uint8_t, OAC_FW_KEY_SIZE> firmware_builder::public_key()
{
	return keys().open;
}

firmware_builder::bytes firmware_builder::build() const
{
	oac_fw_header header{};
	std::vector<oac_fw_section> table(2);
	const std::size_t code_size = 5000;

	header.magic = OAC_FW_MAGIC;
	header.format = OAC_FW_FORMAT;
	header.family = OAC_FW_FAMILY_OAC1;
	header.section_count = 2;
	header.header_size = static_cast<std::uint32_t>(sizeof(header) + 2 * sizeof(table[0]));
	header.version[0] = 1;
	header.version[1] = 2;
	header.version[2] = 3;
	header.security_version = security_version;
	header.protocol_major = OAC_PROTOCOL_MAJOR;
	header.protocol_minor = 7;
	table[0].type = OAC_FW_SECTION_MANIFEST;
	table[0].offset = header.header_size;
	table[0].size = manifest_size;
	table[1].type = OAC_FW_SECTION_CODE;
	table[1].offset = aligned(table[0].offset + manifest_size);
	table[1].size = code_size;
	header.image_size = table[1].offset + code_size + OAC_FW_SIGNATURE_SIZE;

	bytes image(header.image_size);
	const std::size_t end = image.size() - OAC_FW_SIGNATURE_SIZE;
	std::memcpy(image.data() + table[0].offset, &manifest,
		    std::min(manifest_size, sizeof(manifest)));
	for (std::size_t i = 0; i < code_size; i++)
		image[table[1].offset + i] = static_cast<std::byte>(i * 13);
	for (oac_fw_section &section : table)
		crypto_hash_sha256(section.sha256, chars(image.data() + section.offset),
				   section.size);
	if (on_table)
		on_table(header, table);
	std::memcpy(image.data(), &header, sizeof(header));
	std::memcpy(image.data() + sizeof(header), table.data(), table.size() * sizeof(table[0]));
	if (on_hashed)
		on_hashed(image);
	crypto_sign_detached(chars(image.data() + end), nullptr, chars(image.data()), end,
			     keys().secret.data());
	if (on_signed)
		on_signed(image);
	return image;
}

} // namespace oac::emu::test
