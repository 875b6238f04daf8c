// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Ed25519 keys of firmware images. Key files are raw bytes: a public key is 32 of them; a secret
// key is its 32-byte seed, or seed and public key together (64 bytes, libsodium's form).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include <hw/oac_firmware.h>

namespace oac::fw
{

using public_key = std::array<std::uint8_t, OAC_FW_KEY_SIZE>;
using signature = std::array<std::uint8_t, OAC_FW_SIGNATURE_SIZE>;

/// Zeroed when it goes away.
class secret_key
{
public:
	/// From a 32-byte seed or a 64-byte key; EBADMSG for any other length or an inconsistent key.
	explicit secret_key(std::span<const std::uint8_t> raw);
	~secret_key();
	secret_key(const secret_key &) = delete;
	secret_key &operator=(const secret_key &) = delete;

	public_key public_half() const;
	signature sign(std::span<const std::uint8_t> message) const;

private:
	std::array<std::uint8_t, 64> key_{};
};

bool is_signed_by(std::span<const std::uint8_t> message, const signature &by,
		  const public_key &key);

/// Makes both files; neither may exist. The secret one is a seed, readable by its owner alone.
void make_key_files(const std::string &secret_path, const std::string &public_path);

secret_key read_secret_key(const std::string &path);
public_key read_public_key(const std::string &path);

std::array<std::uint8_t, OAC_FW_HASH_SIZE> sha256(std::span<const std::uint8_t> data);

} // namespace oac::fw
