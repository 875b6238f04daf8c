// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "on_card.hpp"

#include <cstring>

namespace oac::abi
{

int card_test::map(std::uint32_t handle, std::uint64_t where, std::uint64_t size,
		   std::uint32_t flags) const
{
	drm_oac_map one = {};

	one.context = context_;
	one.handle = handle;
	one.va = where;
	one.size = size;
	one.flags = flags;
	return dev()(one);
}

int card_test::unmap(std::uint64_t where, std::uint64_t size) const
{
	drm_oac_unmap one = { context_, 0, where, size };

	return dev()(one);
}

std::uint32_t card_test::run(const oac_cmd &cmd) const
{
	const auto made = make_queue();
	const bell bell(dev(), made);
	drm_oac_queue_wait wait = {};
	drm_oac_queue_destroy destroy = { made.queue, 0 };

	EXPECT_TRUE(bell.is_valid());
	std::memcpy(const_cast<char *>(rings_->at<char>()), &cmd, sizeof(cmd));
	EXPECT_EQ(bell.ring(1), 0);
	wait.queue = made.queue;
	wait.deadline_ns = deadline_ms(60000);
	EXPECT_EQ(dev()(wait), 0);
	EXPECT_EQ(dev()(destroy), 0);
	return wait.status;
}

std::uint32_t card_test::copy(std::uint64_t from, std::uint64_t to, std::uint64_t size) const
{
	oac_cmd cmd = {};

	cmd.opcode = OAC_CMD_COPY;
	cmd.body.copy.src = from;
	cmd.body.copy.dst = to;
	cmd.body.copy.row_bytes = size;
	cmd.body.copy.rows = 1;
	return run(cmd);
}

std::uint32_t card_test::fill(std::uint64_t at, std::uint64_t size, std::uint64_t pattern) const
{
	oac_cmd cmd = {};

	cmd.opcode = OAC_CMD_FILL;
	cmd.body.fill.dst = at;
	cmd.body.fill.length = size;
	cmd.body.fill.pattern = pattern;
	cmd.body.fill.pattern_size = sizeof(pattern);
	return run(cmd);
}

std::uint32_t card_test::local_buffer(std::uint64_t size, std::uint64_t *mmap_offset) const
{
	drm_oac_bo_create create = {};

	create.size = size;
	create.flags = DRM_OAC_BO_LOCAL;
	EXPECT_EQ(dev()(create), 0);
	EXPECT_NE(create.handle, 0u);
	if (mmap_offset)
		*mmap_offset = create.mmap_offset;
	return create.handle;
}

bool card_test::has_local() const
{
	return dev().info().driver_features & DRM_OAC_FEATURE_LOCAL_MEMORY;
}

} // namespace oac::abi
