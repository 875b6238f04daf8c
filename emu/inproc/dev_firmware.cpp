// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See dev_firmware.hpp. The build names the files: OAC_DEV_KEY_FILE, OAC_DEV_IMAGE_FILE.
#include "dev_firmware.hpp"

#ifdef OAC_DEV_IMAGE_FILE

/* Hidden: seen by the linker, not by whoever loads the library. */
extern "C" {
[[gnu::visibility("hidden")]] extern const std::uint8_t oac_dev_key[];
[[gnu::visibility("hidden")]] extern const std::uint8_t oac_dev_image[];
[[gnu::visibility("hidden")]] extern const std::uint8_t oac_dev_image_end[];
}

asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".globl oac_dev_key, oac_dev_image, oac_dev_image_end\n"
    ".hidden oac_dev_key, oac_dev_image, oac_dev_image_end\n"
    "oac_dev_key: .incbin \"" OAC_DEV_KEY_FILE "\"\n"
    ".if . - oac_dev_key - 32\n"
    ".error \"the development key does not have 32 bytes\"\n"
    ".endif\n"
    ".balign 64\n"
    "oac_dev_image: .incbin \"" OAC_DEV_IMAGE_FILE "\"\n"
    "oac_dev_image_end: .byte 0\n"
    ".popsection\n");

namespace oac::emu
{

std::span<const std::uint8_t, OAC_FW_KEY_SIZE> dev_firmware_key()
{
	return std::span<const std::uint8_t, OAC_FW_KEY_SIZE>(oac_dev_key, OAC_FW_KEY_SIZE);
}

std::span<const std::uint8_t> dev_firmware_image()
{
	return { oac_dev_image, oac_dev_image_end };
}

} // namespace oac::emu

#else

namespace oac::emu
{

std::span<const std::uint8_t, OAC_FW_KEY_SIZE> dev_firmware_key()
{
	static constexpr std::uint8_t NONE[OAC_FW_KEY_SIZE] = {};
	return NONE;
}

std::span<const std::uint8_t> dev_firmware_image()
{
	return {};
}

} // namespace oac::emu

#endif
