// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tables behind codes.hpp and accel_code_text().
#include "codes.hpp"

#include <cerrno>

#include <accel/accel.h>
#include <hw/oac_regs.h>

namespace accel
{

namespace
{

constexpr status_table make_status_table()
{
	status_table table{};
	/* A status that this library does not know: the card speaks another language. */
	for (auto &result : table.result)
		result = -EPROTO;
	table.result[OAC_ST_SUCCESS] = 0;
	table.result[OAC_ST_BAD_OPCODE] = -EINVAL;
	table.result[OAC_ST_BAD_FIELD] = -EINVAL;
	table.result[OAC_ST_BAD_ALIGNMENT] = -EINVAL;
	table.result[OAC_ST_ACCESS_FAULT] = -EFAULT;
	table.result[OAC_ST_ACCESS_RIGHTS] = -EFAULT;
	table.result[OAC_ST_DMA_ERROR] = -EIO;
	table.result[OAC_ST_BAD_OP] = -EINVAL;
	table.result[OAC_ST_BAD_SHAPE] = -EINVAL;
	table.result[OAC_ST_BAD_DTYPE] = -EINVAL;
	table.result[OAC_ST_ABORTED] = -ECANCELED;
	table.result[OAC_ST_DOORBELL] = -EPROTO;
	table.result[OAC_ST_MEMORY_ERROR] = -EIO;
	table.result[OAC_ST_ENGINE_ERROR] = -EIO;
	table.result[OAC_ST_BAD_CONTEXT] = -EINVAL;
	table.result[OAC_ST_BAD_QUEUE] = -EINVAL;
	table.result[OAC_ST_ID_IN_USE] = -EEXIST;
	table.result[OAC_ST_OVERLAP] = -EEXIST;
	table.result[OAC_ST_NOT_MAPPED] = -ENOENT;
	table.result[OAC_ST_LIMIT] = -ENOSPC;
	table.result[OAC_ST_BUSY] = -EBUSY;
	table.result[OAC_ST_BAD_LOG] = -EINVAL;
	table.result[OAC_ST_NOT_RUN] = -ECANCELED;
	table.result[OAC_ST_UNKNOWN] = -EIO;
	return table;
}

const char *status_text(std::uint32_t status) noexcept
{
	switch (status) {
#define X(name, text) \
	case OAC_ST_##name: \
		return text;
		OAC_STATUSES(X)
#undef X
	default:
		return nullptr;
	}
}

} // namespace

const status_table STATUS_TABLE = make_status_table();

bool is_status(std::uint32_t status) noexcept
{
	return status_text(status) != nullptr;
}

const char *state_text(std::uint32_t state) noexcept
{
	switch (state) {
	case OAC_STATE_ROM:
		return "rom";
	case OAC_STATE_LOADING:
		return "loading";
	case OAC_STATE_VERIFYING:
		return "verifying";
	case OAC_STATE_STARTING:
		return "starting";
	case OAC_STATE_RUNNING:
		return "running";
	case OAC_STATE_FAILED:
		return "failed";
	case OAC_STATE_CRASHED:
		return "crashed";
	default:
		return "unknown";
	}
}

const char *boot_fail_text(std::uint32_t reason) noexcept
{
	switch (reason) {
#define X(name, text) \
	case OAC_FAIL_##name: \
		return text;
		OAC_FAILS(X)
#undef X
	default:
		return "the card gives a reason that this library does not know";
	}
}

std::string lower(const char *text)
{
	std::string out(text);
	for (char &c : out) {
		if (c >= 'A' && c <= 'Z')
			c = static_cast<char>(c - 'A' + 'a');
	}
	return out;
}

} // namespace accel

const char *accel_code_text(uint32_t code)
{
	const char *text = accel::status_text(code);
	return text ? text : "a code that this library does not know";
}
