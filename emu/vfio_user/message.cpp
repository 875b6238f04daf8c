// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See message.hpp.
#include "message.hpp"

#include <cstdint>
#include <cstring>
#include <utility>

namespace oac::vfio_user
{

std::span<std::byte> assembler::room()
{
	if (is_over_)
		return {};
	if (have_ < sizeof(next_.header))
		return std::as_writable_bytes(std::span(&next_.header, 1)).subspan(have_);
	return std::span(next_.payload).subspan(have_ - sizeof(next_.header));
}

std::optional<message> assembler::advance(std::size_t count, std::vector<unique_fd> fds)
{
	const std::size_t header_size = sizeof(next_.header);
	for (auto &fd : fds) {
		if (next_.fds.size() == VFIO_USER_MAX_FDS)
			next_.has_all_fds = false;
		else
			next_.fds.push_back(std::move(fd));
	}
	const bool had_header = have_ >= header_size;
	have_ += count;
	if (have_ < header_size)
		return std::nullopt;
	if (!had_header) {
		const std::size_t size = next_.header.size;
		if (size < header_size || size > VFIO_USER_MAX_MESSAGE_SIZE) {
			next_.is_framed = false;
			is_over_ = true;
			return std::move(next_);
		}
		next_.payload.resize(size - header_size);
	}
	if (have_ < next_.header.size)
		return std::nullopt;
	have_ = 0;
	return std::exchange(next_, message{});
}

std::vector<std::byte> encode(const vfio_user_header &header, std::span<const std::byte> fixed,
			      std::span<const std::byte> data)
{
	vfio_user_header sized = header;
	sized.size = static_cast<std::uint32_t>(sizeof(sized) + fixed.size() + data.size());
	std::vector<std::byte> bytes(sized.size);
	std::memcpy(bytes.data(), &sized, sizeof(sized));
	if (!fixed.empty())
		std::memcpy(bytes.data() + sizeof(sized), fixed.data(), fixed.size());
	if (!data.empty())
		std::memcpy(bytes.data() + sizeof(sized) + fixed.size(), data.data(), data.size());
	return bytes;
}

} // namespace oac::vfio_user
