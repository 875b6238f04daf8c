// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See context.hpp.
#include "context.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace oac::emu
{

namespace
{

constexpr std::uint64_t VA_END = std::uint64_t{ 1 } << OAC_VA_BITS;

bool is_page_aligned(std::uint64_t value)
{
	return value % OAC_PAGE_SIZE == 0;
}

/*
 * memmove(). Shared memory mostly comes in small pages, and then a large copy waits for address
 * translation longer than for data: so pages are touched some time before their turn. Ranges that
 * overlap are left to memmove() in one piece.
 */
void move_bytes(std::byte *to, const std::byte *from, std::size_t length)
{
	constexpr std::size_t PAGE = OAC_PAGE_SIZE, PIECE = 4 * PAGE, AHEAD = 16 * PAGE;

	if (to < from + length && from < to + length) {
		std::memmove(to, from, length);
		return;
	}
	for (std::size_t at = 0; length > AHEAD + PIECE && at < AHEAD; at += PAGE) {
		__builtin_prefetch(from + at);
		__builtin_prefetch(to + at, 1);
	}
	while (length > AHEAD + PIECE) {
		for (std::size_t at = AHEAD; at < AHEAD + PIECE; at += PAGE) {
			__builtin_prefetch(from + at);
			__builtin_prefetch(to + at, 1);
		}
		std::memcpy(to, from, PIECE);
		to += PIECE;
		from += PIECE;
		length -= PIECE;
	}
	std::memcpy(to, from, length);
}

} // namespace

bool context::is_valid_target(const oac_segment &given, std::uint32_t flags) const
{
	if (given.length == 0)
		return false;
	if (flags & OAC_MAP_LOCAL)
		return board_.lmem.contains(given.target, given.length);
	return given.target <= UINT64_MAX - given.length;
}

std::uint16_t context::map(std::uint64_t va, std::span<const oac_segment> segments,
			   std::uint32_t flags)
{
	std::uint64_t end = va;

	if (!is_page_aligned(va))
		return OAC_ST_BAD_ALIGNMENT;
	if (flags & ~OAC_MAP_FLAGS_MASK || !(flags & (OAC_MAP_READ | OAC_MAP_WRITE)) ||
	    va >= VA_END)
		return OAC_ST_BAD_FIELD;
	for (const oac_segment &given : segments) {
		if (!is_page_aligned(given.target) || !is_page_aligned(given.length))
			return OAC_ST_BAD_ALIGNMENT;
		if (!is_valid_target(given, flags) || given.length > VA_END - end)
			return OAC_ST_BAD_FIELD;
		end += given.length;
	}
	const auto next =
		std::upper_bound(segments_.begin(), segments_.end(), va,
				 [](std::uint64_t at, const segment &s) { return at < s.va; });
	if (next != segments_.end() && next->va < end)
		return OAC_ST_OVERLAP;
	if (next != segments_.begin() && std::prev(next)->va + std::prev(next)->length > va)
		return OAC_ST_OVERLAP;
	if (segments.size() > board_.running->manifest.max_maps - segments_.size())
		return OAC_ST_LIMIT;

	std::vector<segment> fresh;
	for (const oac_segment &given : segments) {
		fresh.push_back({ va, given.length, given.target, flags, flags });
		take_rights(fresh.back());
		va += given.length;
	}
	segments_.insert(next, fresh.begin(), fresh.end());
	return OAC_ST_SUCCESS;
}

std::uint16_t context::unmap(std::uint64_t va, std::uint64_t length)
{
	if (!is_page_aligned(va) || !is_page_aligned(length))
		return OAC_ST_BAD_ALIGNMENT;
	if (length == 0 || va >= VA_END || length > VA_END - va)
		return OAC_ST_BAD_FIELD;
	const auto first =
		std::lower_bound(segments_.begin(), segments_.end(), va,
				 [](const segment &s, std::uint64_t at) { return s.va < at; });
	auto last = first;
	std::uint64_t at = va;
	while (last != segments_.end() && last->va == at && at < va + length) {
		at += last->length;
		++last;
	}
	if (at != va + length)
		return OAC_ST_NOT_MAPPED;
	segments_.erase(first, last);
	board_.port.window_epoch++;
	last_hit_ = 0;
	return OAC_ST_SUCCESS;
}

const context::segment *context::find(std::uint64_t va) const
{
	if (last_hit_ < segments_.size()) {
		const segment &last = segments_[last_hit_];
		if (va - last.va < last.length)
			return &last;
	}
	auto next = std::upper_bound(segments_.begin(), segments_.end(), va,
				     [](std::uint64_t at, const segment &s) { return at < s.va; });
	if (next == segments_.begin())
		return nullptr;
	--next;
	if (va - next->va >= next->length)
		return nullptr;
	last_hit_ = static_cast<std::size_t>(next - segments_.begin());
	return &*next;
}

outcome context::resolve(std::uint64_t va, std::uint64_t length, access kind, piece &found) const
{
	const std::uint32_t right = kind == access::read ? OAC_MAP_READ : OAC_MAP_WRITE;
	const segment *at = find(va);

	if (!at)
		return { OAC_ST_ACCESS_FAULT, va };
	if (!(at->flags & right)) [[unlikely]]
		return resolve_rarely(*at, va, length, kind, found);
	const std::uint64_t skip = va - at->va;
	found = { (at->flags & OAC_MAP_LOCAL) != 0, at->target + skip, at->length - skip };
	/* Segments that go on where this one ends, on both sides, are one piece with it. */
	const segment *next = at + 1, *end = segments_.data() + segments_.size();
	while (found.length < length && next < end && next->va == va + found.length &&
	       next->flags == at->flags && next->target == found.target + found.length) {
		found.length += next->length;
		next++;
	}
	found.length = std::min(found.length, length);
	return {};
}

/* No such right, or there would be but for poison: then up to the first page that has it. */
outcome context::resolve_rarely(const segment &at, std::uint64_t va, std::uint64_t length,
				access kind, piece &found) const
{
	const std::uint32_t right = kind == access::read ? OAC_MAP_READ : OAC_MAP_WRITE;
	const std::uint64_t skip = va - at.va, offset = at.target + skip;

	if (!(at.rights & right))
		return { OAC_ST_ACCESS_RIGHTS, va };
	const auto next = board_.poisoned.lower_bound(offset - offset % OAC_PAGE_SIZE);
	found = { true, offset, std::min(length, at.length - skip) };
	if (next == board_.poisoned.end())
		return {};
	if (*next <= offset)
		return { OAC_ST_MEMORY_ERROR, va };
	found.length = std::min(found.length, *next - offset);
	return {};
}

void context::take_rights(segment &of) const
{
	of.flags = of.rights;
	if (!(of.rights & OAC_MAP_LOCAL))
		return;
	const auto next = board_.poisoned.lower_bound(of.target);
	if (next != board_.poisoned.end() && *next - of.target < of.length)
		of.flags &= ~OAC_MAP_READ;
}

void context::note_poison()
{
	for (segment &each : segments_)
		take_rights(each);
	/* rings may be in local memory, too */
	board_.port.window_epoch++;
}

void context::tell_host_memory(std::uint64_t va, std::uint64_t length) const
{
	for (const segment &each : segments_) {
		if (each.va - va < length && !(each.rights & OAC_MAP_LOCAL))
			board_.hooks->on_unmap(each.target, each.length);
	}
}

std::span<std::byte> context::direct_of(const piece &found, access kind) const
{
	if (found.local)
		return { board_.lmem.data() + found.target, found.length };
	const std::span<std::byte> direct = board_.window(found.target, found.length, kind);
	return direct.first(std::min<std::size_t>(direct.size(), found.length));
}

outcome context::check(std::uint64_t va, std::uint64_t length, access kind) const
{
	while (length) {
		piece found;
		const outcome result = resolve(va, length, kind, found);
		if (!result.ok())
			return result;
		va += found.length;
		length -= found.length;
	}
	return {};
}

outcome context::window(std::uint64_t va, std::uint64_t length, access kind,
			std::span<std::byte> &direct) const
{
	piece found;
	const outcome result = resolve(va, length, kind, found);

	direct = {};
	if (result.ok())
		direct = direct_of(found, kind);
	return result;
}

outcome context::read(std::uint64_t va, std::span<std::byte> to) const
{
	while (!to.empty()) {
		piece found;
		const outcome result = resolve(va, to.size(), access::read, found);
		if (!result.ok())
			return result;
		if (found.local)
			std::memcpy(to.data(), board_.lmem.data() + found.target, found.length);
		else if (!board_.host_read(found.target, to.first(found.length)))
			return { OAC_ST_DMA_ERROR, va };
		va += found.length;
		to = to.subspan(found.length);
	}
	return {};
}

outcome context::write(std::uint64_t va, std::span<const std::byte> from) const
{
	while (!from.empty()) {
		piece found;
		const outcome result = resolve(va, from.size(), access::write, found);
		if (!result.ok())
			return result;
		if (found.local)
			std::memcpy(board_.lmem.data() + found.target, from.data(), found.length);
		else if (!board_.host_write(found.target, from.first(found.length)))
			return { OAC_ST_DMA_ERROR, va };
		va += found.length;
		from = from.subspan(found.length);
	}
	return {};
}

outcome context::copy(std::uint64_t dst, std::uint64_t src, std::uint64_t length) const
{
	std::array<std::byte, 4 * OAC_PAGE_SIZE> bounce;

	while (length) {
		std::span<std::byte> from, to;
		outcome result = window(src, length, access::read, from);
		if (result.ok())
			result = window(dst, length, access::write, to);
		if (!result.ok())
			return result;
		std::uint64_t done = std::min(from.size(), to.size());
		if (done) {
			move_bytes(to.data(), from.data(), done);
		} else {
			done = std::min<std::uint64_t>(length, bounce.size());
			result = read(src, std::span(bounce).first(done));
			if (result.ok())
				result = write(dst, std::span(bounce).first(done));
			if (!result.ok())
				return result;
		}
		count_traffic(src, done, access::read);
		count_traffic(dst, done, access::write);
		src += done;
		dst += done;
		length -= done;
	}
	return {};
}

void context::count_traffic(std::uint64_t va, std::uint64_t length, access kind) const
{
	const unsigned counter = kind == access::read ? OAC_COUNTER_BYTES_FROM_HOST :
							OAC_COUNTER_BYTES_TO_HOST;

	while (length) {
		piece found;
		if (!resolve(va, length, kind, found).ok())
			return;
		if (!found.local)
			board_.count.add(counter, found.length);
		va += found.length;
		length -= found.length;
	}
}

} // namespace oac::emu
