// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Numbers: of contexts, queues, clients. Nothing leaks, and limits say which they are.
#include <memory>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abi/device.hpp"
#include "../isolation/raw_client.hpp"
#include "../support/without_capability.hpp"
#include "system.hpp"

using namespace stress;
using isolation::raw_client;

namespace
{

class many : public oac::abi::device_test
{
protected:
	void SetUp() override
	{
		device_test::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		idle_ = object_counts();
		ASSERT_FALSE(idle_.empty())
			<< "no /sys/kernel/debug/oac/*/objects: is debugfs mounted?";
	}

	void TearDown() override
	{
		if (IsSkipped())
			return;
		EXPECT_EQ(difference(idle_, object_counts()), "");
		dev().context();
	}

	std::uint32_t queue_flags() const
	{
		return dev().info().driver_features & DRM_OAC_FEATURE_USER_SUBMIT ?
			       0 :
			       DRM_OAC_QUEUE_KERNEL_SUBMIT;
	}

	/// A client with one queue at work.
	std::unique_ptr<raw_client> make_client() const
	{
		auto client = std::make_unique<raw_client>(path());

		if (client->create_queue(queue_flags()) != 0)
			return nullptr;
		return client;
	}

	/// One more queue on the rings of the first; 0 or the errno.
	int add_queue(raw_client &client, std::uint32_t *limit = nullptr) const
	{
		drm_oac_queue_create create = {};

		create.context = client.context();
		create.depth_log2 = raw_client::depth_log2;
		create.sq_va = client.address();
		create.cq_va = client.address() + 2 * raw_client::page;
		create.tail_va = client.address() + 3 * raw_client::page;
		create.flags = queue_flags();
		const int result = client.call(DRM_IOCTL_OAC_QUEUE_CREATE, &create);
		if (limit)
			*limit = create.limit;
		return -result;
	}

	static bool works(raw_client &client)
	{
		for (std::uint32_t i = 0; i < 8; i++)
			client.write_fill(i, i, client.address() + 8 * raw_client::page, 64);
		client.ring_doorbell(8);
		const auto now = client.wait_for(8);
		return now.completed == 8 && now.state == 0 &&
		       client.memory()[8 * raw_client::page + 63] == std::byte{ 0x66 };
	}

	counts idle_;
};

} // namespace

TEST_F(many, ten_thousand_contexts)
{
	constexpr unsigned files = 100, each = 100;

	for (unsigned i = 0; i < files; i++) {
		const oac::abi::node own(::open(path().c_str(), O_RDWR | O_CLOEXEC));

		ASSERT_GE(own.fd(), 0);
		for (unsigned j = 0; j < each; j++) {
			drm_oac_context_create create = {};
			drm_oac_context_destroy destroy = {};

			ASSERT_EQ(own(create), 0) << i << ' ' << j;
			destroy.context = create.context;
			/* The others go with the file. */
			if (j % 2) {
				ASSERT_EQ(own(destroy), 0);
			}
		}
	}
	EXPECT_EQ(dev().info().contexts, 0u);
}

TEST_F(many, clients_at_once_with_a_thousand_queues)
{
	constexpr std::uint32_t count = 64, queues = 1000;
	std::vector<std::unique_ptr<raw_client>> clients;

	ASSERT_GE(dev().info().max_queues, queues);
	for (std::uint32_t i = 0; i < count; i++) {
		clients.push_back(make_client());
		ASSERT_TRUE(clients.back()) << i;
	}
	for (std::uint32_t i = count; i < queues; i++)
		ASSERT_EQ(add_queue(*clients[i % count]), 0) << i;
	EXPECT_EQ(dev().info().queues, queues);
	for (auto &one : clients)
		EXPECT_TRUE(works(*one));
}

TEST_F(many, processes_at_once)
{
	std::vector<pid_t> all;

	for (unsigned i = 0; i < 64; i++) {
		const pid_t pid = fork();

		if (pid == 0) {
			int code = 1;

			try {
				raw_client client(path());
				code = client.create_queue(queue_flags()) != 0 ? 2 :
				       works(client)			       ? 0 :
										 3;
			} catch (const std::exception &error) {
				std::fprintf(stderr, "client: %s\n", error.what());
			}
			_exit(code);
		}
		ASSERT_GT(pid, 0);
		all.push_back(pid);
	}
	for (pid_t pid : all) {
		int status = 0;

		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(status, 0);
	}
}

TEST_F(many, limits_of_the_card_are_named)
{
	const auto most = dev().info();
	const auto client = make_client();
	std::uint32_t limit = 0, queues = 1;
	int err = 0;

	ASSERT_TRUE(client);
	while ((err = add_queue(*client, &limit)) == 0)
		ASSERT_LE(++queues, most.max_queues);
	EXPECT_EQ(err, ENOSPC);
	EXPECT_EQ(limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_CARD_QUEUES));
	EXPECT_EQ(queues, most.max_queues);
	EXPECT_TRUE(works(*client));

	drm_oac_context_create create = {};
	std::uint32_t contexts = dev().info().contexts;
	while ((err = dev()(create)) == 0)
		ASSERT_LE(++contexts, most.max_contexts);
	EXPECT_EQ(err, ENOSPC);
	EXPECT_EQ(create.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_CARD_CONTEXTS));
	EXPECT_EQ(contexts, most.max_contexts);
	close_device();
	open_device();
}

TEST_F(many, limits_of_a_user_are_named_and_bind_only_the_unprivileged)
{
	const auto client = make_client();
	std::uint32_t limit = 0, queues = 1, contexts = dev().info().contexts;
	drm_oac_context_create create = {};
	int err = 0;

	if (geteuid() != 0)
		GTEST_SKIP() << "needs root to tell the privileged from others";
	ASSERT_TRUE(client);
	{
		const support::without_capability resource(CAP_SYS_RESOURCE);
		const auto most = dev().info();

		while ((err = add_queue(*client, &limit)) == 0)
			ASSERT_LE(++queues, most.max_queues);
		EXPECT_EQ(err, EDQUOT);
		EXPECT_TRUE(limit == DRM_OAC_LIMIT_USER_QUEUES ||
			    limit == DRM_OAC_LIMIT_CONTEXT_QUEUES)
			<< limit;
		while ((err = dev()(create)) == 0)
			ASSERT_LE(++contexts, most.max_contexts);
		EXPECT_EQ(err, EDQUOT);
		EXPECT_EQ(create.limit, static_cast<std::uint32_t>(DRM_OAC_LIMIT_USER_CONTEXTS));
		EXPECT_EQ(contexts, most.user_contexts);
	}
	EXPECT_EQ(add_queue(*client), 0);
	EXPECT_EQ(dev()(create), 0);
	close_device();
	open_device();
}
