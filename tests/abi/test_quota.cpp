// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Limits per user and context: that they bind whom they should, and say which one was met.
#include "objects.hpp"
#include "on_card.hpp"
#include "rights.hpp"

#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace oac::abi;

namespace
{

/* A module parameter's value for a while; needs root, and is skipped without. */
class parameter
{
public:
	parameter(const std::string &name, std::uint64_t value)
		: path_("/sys/module/oac/parameters/" + name)
	{
		std::ifstream(path_) >> old_;
		is_set_ = write(std::to_string(value));
	}
	~parameter() { write(old_); }
	parameter(const parameter &) = delete;
	parameter &operator=(const parameter &) = delete;
	bool is_set() const { return is_set_; }

private:
	bool write(const std::string &value) const
	{
		std::ofstream file(path_);

		file << value << std::flush;
		return file.good();
	}

	std::string path_, old_;
	bool is_set_ = false;
};

constexpr std::uint64_t mib = 1 << 20;

} // namespace

/* Devices are opened by the child as the user whom they are charged to. */
class quota : public card_test
{
protected:
	static int create_bo(const node &on, std::uint64_t size, std::uint32_t flags,
			     std::uint32_t *limit)
	{
		drm_oac_bo_create create = {};

		create.size = size;
		create.flags = flags;
		const int err = on(create);
		*limit = create.limit;
		return err;
	}

	static int create_context(const node &on, std::uint32_t *limit)
	{
		drm_oac_context_create create = {};
		const int err = on(create);

		*limit = create.limit;
		return err;
	}

	/* A device of the child's own, if nodes may be opened by everybody here. */
	node open_as_child() const { return node(::open(path().c_str(), O_RDWR | O_CLOEXEC)); }

	void SetUp() override
	{
		card_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		if (geteuid() != 0)
			GTEST_SKIP() << "changing users takes root";
		ASSERT_EQ(stat(path().c_str(), &before_), 0);
		ASSERT_EQ(chmod(path().c_str(), 0666), 0);
	}

	void TearDown() override
	{
		if (before_.st_mode)
			chmod(path().c_str(), before_.st_mode & 07777);
	}

private:
	struct stat before_ = {};
};

TEST_F(quota, none_binds_who_may_exceed_resources)
{
	const auto device = dev().info();

	EXPECT_EQ(device.user_contexts, 0u);
	EXPECT_EQ(device.user_queues, 0u);
	EXPECT_EQ(device.user_local_bytes, 0u);
	EXPECT_EQ(device.user_host_bytes, 0u);
	EXPECT_EQ(device.context_queues, 0u);
	EXPECT_EQ(device.context_maps, 0u);
}

TEST_F(quota, user_gets_half_of_the_contexts)
{
	const auto before = objects(path());

	as_user(nobody, [this] {
		const node own = open_as_child(), second = open_as_child();
		const auto device = own.info();
		std::uint32_t limit = 0;

		ASSERT_EQ(device.user_contexts, device.max_contexts / 2);
		EXPECT_EQ(device.user_queues, device.max_queues / 2);
		if (device.driver_features & DRM_OAC_FEATURE_LOCAL_MEMORY) {
			EXPECT_EQ(device.user_local_bytes, device.lmem_size / 2);
		}
		EXPECT_EQ(device.user_host_bytes, 0u);
		/* Over all files of the user. */
		for (std::uint32_t i = 0; i < device.user_contexts; i++)
			ASSERT_EQ(create_context(i % 2 ? own : second, &limit), 0) << i;
		EXPECT_EQ(create_context(own, &limit), EDQUOT);
		EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_USER_CONTEXTS));
	});
	EXPECT_EQ(objects(path()), before);
	as_user(nobody - 1, [this] {
		std::uint32_t limit = 77;

		EXPECT_EQ(create_context(open_as_child(), &limit), 0);
		EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_NONE));
	});
}

TEST_F(quota, card_limit_is_named_to_who_is_bound_by_no_other)
{
	const node own = open();
	std::uint32_t limit = 0;
	int err = 0;

	for (std::uint32_t i = 0; !err && i <= own.info().max_contexts; i++)
		err = create_context(own, &limit);
	EXPECT_EQ(err, ENOSPC);
	EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_CARD_CONTEXTS));
}

TEST_F(quota, memory_of_both_kinds)
{
	const parameter host("user_host_mib", 4), local("user_local_mib", 2);

	ASSERT_TRUE(host.is_set() && local.is_set());
	as_user(nobody, [this] {
		const node own = open_as_child();
		const auto device = own.info();
		std::uint32_t limit = 0;

		EXPECT_EQ(device.user_host_bytes, 4 * mib);
		EXPECT_EQ(create_bo(own, 5 * mib, 0, &limit), EDQUOT);
		EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_USER_HOST));
		EXPECT_EQ(create_bo(own, 3 * mib, 0, &limit), 0);
		EXPECT_EQ(create_bo(own, mib + page, 0, &limit), EDQUOT);
		EXPECT_EQ(create_bo(own, mib, 0, &limit), 0);
		EXPECT_EQ(create_bo(own, page, 0, &limit), EDQUOT);
		if (!(device.driver_features & DRM_OAC_FEATURE_LOCAL_MEMORY))
			return;
		EXPECT_EQ(device.user_local_bytes, 2 * mib);
		EXPECT_EQ(create_bo(own, 2 * mib, DRM_OAC_BO_LOCAL, &limit), 0);
		EXPECT_EQ(create_bo(own, page, DRM_OAC_BO_LOCAL, &limit), EDQUOT);
		EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_USER_LOCAL));
	});
	std::uint32_t limit = 77;
	EXPECT_EQ(create_bo(dev(), 5 * mib, 0, &limit), 0);
	EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_NONE));
}

TEST_F(quota, given_back_memory_may_be_had_again)
{
	const parameter host("user_host_mib", 1);

	ASSERT_TRUE(host.is_set());
	as_user(nobody, [this] {
		const node own = open_as_child();

		for (unsigned i = 0; i < 16; i++) {
			drm_gem_close close = {};

			close.handle = own.buffer(mib);
			ASSERT_EQ(own(close), 0);
		}
	});
}

TEST_F(quota, maps_and_queues_of_a_context)
{
	const parameter maps("context_maps", 3), queues("context_queues", 2);

	ASSERT_TRUE(maps.is_set() && queues.is_set());
	/* The fixture's device and context, but without the capability. */
	as_user(nobody, [this] {
		EXPECT_EQ(dev().info().context_maps, 3u);
		EXPECT_EQ(dev().info().context_queues, 2u);
		EXPECT_EQ(map(handle_, 1 << 28, page), 0);
		EXPECT_EQ(map(handle_, 2 << 28, page), 0);
		drm_oac_map one = { context_, handle_, 3 << 28, 0, page, DRM_OAC_MAP_READ, 0, 0, 0 };
		EXPECT_EQ(dev()(one), EDQUOT);
		EXPECT_EQ(one.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_CONTEXT_MAPS));
		EXPECT_EQ(unmap(1 << 28, page), 0);
		EXPECT_EQ(dev()(one), 0);
		EXPECT_EQ(one.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_NONE));
		make_queue();
		make_queue();
		auto third = good_queue();
		EXPECT_EQ(dev()(third), EDQUOT);
		EXPECT_EQ(third.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_CONTEXT_QUEUES));
	});
}

TEST_F(quota, queues_of_a_user)
{
	const parameter queues("user_queues", 2);

	ASSERT_TRUE(queues.is_set());
	/* What the fixture opened is root's, so it counts with root's use; there is none. */
	as_user(nobody, [this] {
		EXPECT_EQ(dev().info().user_queues, 2u);
		make_queue();
		const auto second = make_queue();
		auto third = good_queue();
		EXPECT_EQ(dev()(third), EDQUOT);
		EXPECT_EQ(third.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_USER_QUEUES));
		drm_oac_queue_destroy destroy = { second.queue, 0 };
		EXPECT_EQ(dev()(destroy), 0);
		EXPECT_EQ(dev()(third), 0);
	});
}
