// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Memory of a card behind the oac module: host, local, wrapped and imported buffers.
#include "card.hpp"

#include <cerrno>

#include "../../src/error.hpp"

namespace accel::kernel
{

buffer_memory card::buffer_alloc_local(std::size_t)
{
	fail(EOPNOTSUPP, "allocate local memory");
}

buffer_memory card::buffer_wrap(void *, std::size_t, bool)
{
	fail(EOPNOTSUPP, "wrap memory");
}

int card::buffer_export(const buffer_memory &)
{
	fail(EOPNOTSUPP, "export a buffer");
}

buffer_memory card::buffer_import(int)
{
	fail(EOPNOTSUPP, "import a buffer");
}

} // namespace accel::kernel
