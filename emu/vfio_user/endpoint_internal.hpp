// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the endpoint's own files share: reading a message's fixed part and building a reply's.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "endpoint.hpp"

namespace oac::vfio_user
{

/* A handler's third answer: later, when the card is back. */
inline constexpr int POSTPONED = 1;

/* The fixed part of a message, nothing if it is too short. */
template <typename Part>
const Part *m_as(const message &m)
{
	static_assert(alignof(Part) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
	if (m.payload.size() < sizeof(Part))
		return nullptr;
	return reinterpret_cast<const Part *>(m.payload.data());
}

template <typename Part>
void put(std::vector<std::byte> &to, const Part &part)
{
	const auto bytes = std::as_bytes(std::span(&part, 1));
	to.insert(to.end(), bytes.begin(), bytes.end());
}

} // namespace oac::vfio_user
