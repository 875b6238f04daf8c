// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Ed25519 keys of firmware images: the only file that knows libsodium.
#include "fw_key.hpp"

#include <algorithm>
#include <cerrno>

#include <sodium.h>
#include <unistd.h>

#include "fw_error.hpp"
#include "fw_file.hpp"

namespace oac::fw
{

static_assert(crypto_sign_SEEDBYTES == 32 && crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_PUBLICKEYBYTES == OAC_FW_KEY_SIZE);
static_assert(crypto_sign_BYTES == OAC_FW_SIGNATURE_SIZE);
static_assert(crypto_hash_sha256_BYTES == OAC_FW_HASH_SIZE);

namespace
{

void start_sodium()
{
	if (sodium_init() < 0)
		throw error(EIO, "libsodium does not start");
}

} // namespace

secret_key::secret_key(std::span<const std::uint8_t> raw)
{
	start_sodium();
	if (raw.size() != crypto_sign_SEEDBYTES && raw.size() != crypto_sign_SECRETKEYBYTES)
		throw error(EBADMSG,
			    "not a secret key: " + std::to_string(raw.size()) +
				    " bytes instead of 32 (seed) or 64 (seed and public key)");

	public_key derived{};
	crypto_sign_seed_keypair(derived.data(), key_.data(), raw.data());
	if (raw.size() == crypto_sign_SECRETKEYBYTES && !std::ranges::equal(raw, key_))
		throw error(EBADMSG, "not a secret key: its two halves do not belong together");
}

secret_key::~secret_key()
{
	sodium_memzero(key_.data(), key_.size());
}

public_key secret_key::public_half() const
{
	public_key half{};

	crypto_sign_ed25519_sk_to_pk(half.data(), key_.data());
	return half;
}

signature secret_key::sign(std::span<const std::uint8_t> message) const
{
	signature made{};

	crypto_sign_detached(made.data(), nullptr, message.data(), message.size(), key_.data());
	return made;
}

bool is_signed_by(std::span<const std::uint8_t> message, const signature &by, const public_key &key)
{
	start_sodium();
	return crypto_sign_verify_detached(by.data(), message.data(), message.size(), key.data()) ==
	       0;
}

void make_key_files(const std::string &secret_path, const std::string &public_path)
{
	start_sodium();
	bytes seed(crypto_sign_SEEDBYTES);
	randombytes_buf(seed.data(), seed.size());
	const public_key half = secret_key(seed).public_half();

	create_file(secret_path, seed, 0600);
	sodium_memzero(seed.data(), seed.size());
	try {
		create_file(public_path, half, 0644);
	} catch (const error &) {
		unlink(secret_path.c_str());
		throw;
	}
}

secret_key read_secret_key(const std::string &path)
{
	bytes raw = read_file(path, 4096);

	try {
		return secret_key(raw);
	} catch (const error &e) {
		throw error(e.code(), path + ": " + e.what());
	}
}

public_key read_public_key(const std::string &path)
{
	const bytes raw = read_file(path, 4096);
	public_key key{};

	if (raw.size() != key.size())
		throw error(EBADMSG, path + ": not a public key: " + std::to_string(raw.size()) +
					     " bytes instead of 32");
	std::ranges::copy(raw, key.begin());
	return key;
}

std::array<std::uint8_t, OAC_FW_HASH_SIZE> sha256(std::span<const std::uint8_t> data)
{
	std::array<std::uint8_t, OAC_FW_HASH_SIZE> hash{};

	crypto_hash_sha256(hash.data(), data.data(), data.size());
	return hash;
}

} // namespace oac::fw
