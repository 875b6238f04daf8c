// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The endpoint's DMA: the client's maps, and the card's accesses through them or by messages.
#include "endpoint_internal.hpp"

namespace oac::vfio_user
{

using namespace std::chrono_literals;

/* As long as QEMU itself waits for an answer by default. */
static constexpr auto DMA_TIMEOUT = 5s;

/* Bits that other clients set and that say nothing new: a descriptor is there or is not. */
static constexpr std::uint32_t DMA_MAP_FLAGS_IGNORED = 0xc;

static std::uint64_t last_of(std::uint64_t first, std::uint64_t size)
{
	return size - 1 > UINT64_MAX - first ? UINT64_MAX : first + (size - 1);
}

int endpoint::on_dma_map(message &m, reply &)
{
	const auto *map = m_as<vfio_user_dma_map>(m);
	if (!map || map->argsz < sizeof(*map) || m.fds.size() > 1 || map->size == 0 ||
	    (map->flags & ~(VFIO_USER_DMA_MAP_FLAGS | DMA_MAP_FLAGS_IGNORED)))
		return -EINVAL;
	const std::uint64_t last = last_of(map->address, map->size);
	if (maps_.overlaps(map->address, last)) {
		if (is_window_in_use(map->address, last))
			return POSTPONED;
		log_.write(log_level::warning, "map of %#llx + %#llx takes the place of another",
			   static_cast<unsigned long long>(map->address),
			   static_cast<unsigned long long>(map->size));
	}
	window_epoch++;
	return maps_.map(*map, m.fds.empty() ? unique_fd() : std::move(m.fds.front()));
}

int endpoint::on_dma_unmap(message &m, reply &r)
{
	const auto *unmap = m_as<vfio_user_dma_unmap>(m);
	if (!unmap || unmap->argsz < sizeof(*unmap) || (unmap->flags & ~VFIO_USER_DMA_UNMAP_ALL))
		return -EINVAL;
	std::uint64_t first = unmap->address;
	std::uint64_t last = UINT64_MAX;
	if (unmap->flags & VFIO_USER_DMA_UNMAP_ALL) {
		if (unmap->address || unmap->size)
			return -EINVAL;
		first = 0;
	} else if (unmap->size == 0) {
		return -EINVAL;
	} else {
		last = last_of(first, unmap->size);
	}
	if (is_window_in_use(first, last))
		return POSTPONED;
	maps_.unmap(first, last);
	window_epoch++;
	put(r.fixed, *unmap);
	return 0;
}

/* Only while the card works: windows do not outlive the call they were given out in. */
bool endpoint::is_window_in_use(std::uint64_t first, std::uint64_t last) const
{
	return std::any_of(windows_.begin(), windows_.end(),
			   [&](const auto &w) { return w.first <= last && w.second >= first; });
}

std::span<std::byte> endpoint::dma_window(std::uint64_t addr, std::uint64_t length,
					  emu::access kind)
{
	if (length == 0)
		return {};
	length = last_of(addr, length) - addr + 1;
	const stretch found = maps_.look(addr, length, kind == emu::access::write);
	if (found.by != stretch::way::direct)
		return {};
	windows_.emplace_back(addr, addr + (found.length - 1));
	has_left_ = true;
	return found.memory;
}

bool endpoint::dma_read(std::uint64_t addr, std::span<std::byte> to)
{
	if (!to.empty() && to.size() - 1 > UINT64_MAX - addr)
		return false;
	while (!to.empty()) {
		const stretch part = maps_.look(addr, to.size(), false);
		std::uint64_t done = part.length;
		if (part.by == stretch::way::direct) {
			std::memcpy(to.data(), part.memory.data(), done);
		} else {
			done = std::min(done, max_transfer_);
			if (part.by == stretch::way::refused ||
			    !exchange(VFIO_USER_DMA_READ, addr, to.first(done), {}))
				return false;
		}
		addr += done;
		to = to.subspan(done);
	}
	return true;
}

bool endpoint::dma_write(std::uint64_t addr, std::span<const std::byte> from)
{
	if (!from.empty() && from.size() - 1 > UINT64_MAX - addr)
		return false;
	while (!from.empty()) {
		const stretch part = maps_.look(addr, from.size(), true);
		std::uint64_t done = part.length;
		if (part.by == stretch::way::direct) {
			std::memcpy(part.memory.data(), from.data(), done);
		} else {
			done = std::min(done, max_transfer_);
			if (part.by == stretch::way::refused ||
			    !exchange(VFIO_USER_DMA_WRITE, addr, {}, from.first(done)))
				return false;
		}
		addr += done;
		from = from.subspan(done);
	}
	return true;
}

/* One DMA message and its reply; the client's own requests are served in between. */
bool endpoint::exchange(std::uint16_t cmd, std::uint64_t addr, std::span<std::byte> in,
			std::span<const std::byte> out)
{
	if (!peer_ || !is_negotiated_ || !has_dma_messages_ || is_broken_ || is_dma_refused_ ||
	    is_exchanging_)
		return false;
	vfio_user_header header{};
	header.id = next_id_++;
	header.cmd = cmd;
	const vfio_user_dma_access access{ addr, in.size() + out.size() };
	is_broken_ = !peer_->send(encode(header, std::as_bytes(std::span(&access, 1)), out), -1);

	is_exchanging_ = true;
	bool is_done = false;
	const auto end = std::chrono::steady_clock::now() + DMA_TIMEOUT;
	while (!is_broken_ && !is_dma_refused_) {
		const auto left = std::chrono::ceil<std::chrono::milliseconds>(
			end - std::chrono::steady_clock::now());
		auto m = peer_->receive(std::max(left, std::chrono::milliseconds::zero()));
		if (!m) {
			log_.write(log_level::warning, "no answer to a DMA message at %#llx",
				   static_cast<unsigned long long>(addr));
			break;
		}
		if (m->is_framed && m->is_reply() && m->header.id == header.id &&
		    m->header.cmd == cmd) {
			is_done = take_dma_reply(*m, in);
			break;
		}
		is_broken_ |= !serve(std::move(*m));
	}
	is_exchanging_ = false;
	return is_done;
}

bool endpoint::take_dma_reply(const message &m, std::span<std::byte> in)
{
	if (m.header.flags & VFIO_USER_FLAG_ERROR) {
		log_.write(log_level::debug, "client refused a DMA message: error %u",
			   m.header.error);
		return false;
	}
	const auto *access = m_as<vfio_user_dma_access>(m);
	if (!in.empty()) {
		if (!access || m.payload.size() - sizeof(*access) != in.size())
			return false;
		std::memcpy(in.data(), m.payload.data() + sizeof(*access), in.size());
	}
	return true;
}

} // namespace oac::vfio_user
