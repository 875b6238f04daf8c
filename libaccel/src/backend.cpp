// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a backend has not learned yet: see backend.hpp.
#include "backend.hpp"

#include <cerrno>

#include "error.hpp"

namespace accel
{

namespace
{

[[noreturn]] void cannot(const backend &card)
{
	throw failure(EOPNOTSUPP, card.name() + ": no health and recovery on this backend");
}

} // namespace

health_reading backend::health()
{
	cannot(*this);
}

std::array<rung_reading, 8> backend::rungs()
{
	cannot(*this);
}

std::unique_ptr<event_source> backend::event_stream(std::uint64_t)
{
	cannot(*this);
}

void backend::recover(std::int64_t)
{
	cannot(*this);
}

void backend::reset(std::uint32_t, std::int64_t)
{
	cannot(*this);
}

std::uint64_t backend::self_test(std::int64_t)
{
	cannot(*this);
}

std::uint32_t backend::context_lost(std::uint32_t)
{
	cannot(*this);
}

} // namespace accel
