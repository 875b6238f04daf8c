// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "objects.hpp"
#include "on_card.hpp"
#include "rights.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <vector>

#include <unistd.h>

using namespace oac::abi;

namespace
{

template <typename Base>
class info_of : public Base
{
protected:
	static drm_oac_info_get good(std::uint32_t topic, std::uint32_t stride, std::uint32_t count,
				     void *data)
	{
		drm_oac_info_get get = {};

		get.topic = topic;
		get.stride = stride;
		get.count = count;
		get.data = reinterpret_cast<std::uintptr_t>(data);
		return get;
	}

	template <typename T>
	std::vector<T> all(std::uint32_t topic, std::uint64_t start = 0,
			   const node *from = nullptr) const
	{
		const node &on = from ? *from : this->dev();
		auto get = good(topic, 0, 0, nullptr);

		get.start = start;
		EXPECT_EQ(on(get), 0);
		std::vector<T> list(get.count + 8);
		get = good(topic, sizeof(T), static_cast<std::uint32_t>(list.size()), list.data());
		get.start = start;
		EXPECT_EQ(on(get), 0);
		list.resize(get.count);
		return list;
	}
};

} // namespace

class info : public info_of<device_test>
{};

/* What clients hold and spend, by the info topics and in fdinfo. */
class usage : public info_of<card_test>
{
protected:
	static constexpr std::uint64_t at = 1 << 30;
	static constexpr std::uint64_t size = 256 * page;

	std::vector<drm_oac_info_client> clients(const node *from = nullptr) const
	{
		return all<drm_oac_info_client>(DRM_OAC_INFO_CLIENTS, 0, from);
	}

	std::vector<drm_oac_info_context> contexts(const node *from = nullptr) const
	{
		return all<drm_oac_info_context>(DRM_OAC_INFO_CONTEXTS, 0, from);
	}

	/* The line of /proc for a node, key to value. */
	static std::map<std::string, std::string> fdinfo(const node &on)
	{
		std::ifstream file("/proc/self/fdinfo/" + std::to_string(on.fd()));
		std::map<std::string, std::string> keys;

		for (std::string line; std::getline(file, line);) {
			const std::size_t colon = line.find(":\t");

			if (colon != std::string::npos)
				keys[line.substr(0, colon)] = line.substr(colon + 2);
		}
		return keys;
	}

	/* The client that a node is, as fdinfo names it. */
	drm_oac_info_client self(const node &on) const
	{
		const auto listed = clients(&on);
		const std::uint64_t id = std::stoull(fdinfo(on)["drm-client-id"]);
		const auto found = std::find_if(listed.begin(), listed.end(),
						[&](const auto &one) { return one.id == id; });

		EXPECT_NE(found, listed.end()) << id;
		return found == listed.end() ? drm_oac_info_client{} : *found;
	}
};

TEST_F(info, refuses_topics_padding_and_strides)
{
	drm_oac_info_device device = {};
	auto get = good(0, sizeof(device), 1, &device);

	for (std::uint32_t topic : { 0u, DRM_OAC_INFO_RUNGS + 1u, 0x80000000u, u32_max }) {
		get.topic = topic;
		EXPECT_EQ(dev()(get), EINVAL) << topic;
	}
	get = good(DRM_OAC_INFO_DEVICE, sizeof(device), 1, &device);
	get.pad = 1;
	EXPECT_EQ(dev()(get), EINVAL);
	for (std::uint32_t stride : { 0u, 4097u, u32_max }) {
		get = good(DRM_OAC_INFO_DEVICE, stride, 1, &device);
		EXPECT_EQ(dev()(get), EINVAL) << stride;
	}
	get = good(DRM_OAC_INFO_DEVICE, sizeof(device), 1, nullptr);
	EXPECT_EQ(dev()(get), EFAULT);
	get.data = u64_max - 3;
	EXPECT_EQ(dev()(get), EFAULT);
	get.data = 0xffff888000000000ull;
	EXPECT_EQ(dev()(get), EFAULT);
}

TEST_F(info, shorter_and_longer_elements_than_the_kernels)
{
	std::vector<unsigned char> bytes(sizeof(drm_oac_info_device) + 64, 0xaa);
	auto get = good(DRM_OAC_INFO_DEVICE, 8, 1, bytes.data());
	const auto device = dev().info();

	ASSERT_EQ(dev()(get), 0);
	EXPECT_EQ(std::memcmp(bytes.data(), &device, 8), 0);
	EXPECT_EQ(bytes[8], 0xaa);
	get = good(DRM_OAC_INFO_DEVICE, sizeof(device) + 32, 1, bytes.data());
	ASSERT_EQ(dev()(get), 0);
	EXPECT_EQ(std::memcmp(bytes.data(), &device, sizeof(device)), 0);
	for (std::size_t i = 0; i < 64; i++)
		EXPECT_EQ(bytes[sizeof(device) + i], i < 32 ? 0 : 0xaa) << i;
}

TEST_F(info, device_is_that_of_the_manifest)
{
	const auto device = dev().info();

	EXPECT_NE(device.model[0], 0);
	EXPECT_NE(device.serial, 0u);
	EXPECT_NE(device.lmem_size, 0u);
	EXPECT_GE(device.engine_count, 1u);
	EXPECT_GE(device.max_contexts, 1u);
	EXPECT_GE(device.max_queues, 1u);
	EXPECT_EQ(device.state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
	EXPECT_EQ(device.boot_progress, 1000u);
	EXPECT_EQ(device.protocol >> OAC_PROTOCOL_MAJOR_SHIFT,
		  static_cast<std::uint32_t>(OAC_PROTOCOL_MAJOR));
	EXPECT_EQ(device.pad, 0);
	const std::uint32_t before = device.contexts;
	dev().context();
	EXPECT_EQ(dev().info().contexts, before + 1);
}

TEST_F(info, index_beyond_the_end_gives_nothing)
{
	drm_oac_info_device device = {};
	auto get = good(DRM_OAC_INFO_DEVICE, sizeof(device), 1, &device);

	get.start = 1;
	EXPECT_EQ(dev()(get), 0);
	EXPECT_EQ(get.count, 0u);
	get = good(DRM_OAC_INFO_SENSORS, sizeof(device), 1, &device);
	get.start = u64_max;
	EXPECT_EQ(dev()(get), 0);
	EXPECT_EQ(get.count, 0u);
}

TEST_F(info, sensors_are_as_many_as_promised_and_make_sense)
{
	const auto sensors = all<drm_oac_info_sensor>(DRM_OAC_INFO_SENSORS);

	ASSERT_EQ(sensors.size(), dev().info().sensor_count);
	for (const auto &one : sensors) {
		EXPECT_EQ(one.label[sizeof(one.label) - 1], 0);
		if (one.absent == OAC_ABSENT_NO && one.type == OAC_SENSOR_TEMPERATURE) {
			EXPECT_GT(one.value, -100000);
			EXPECT_LT(one.value, 250000);
		}
	}
	const auto rest = all<drm_oac_info_sensor>(DRM_OAC_INFO_SENSORS, 1);
	EXPECT_EQ(rest.size(), sensors.size() - 1);
	EXPECT_EQ(rest.at(0).id, sensors.at(1).id);
}

TEST_F(info, counters_count)
{
	const auto counters = all<drm_oac_info_counter>(DRM_OAC_INFO_COUNTERS);

	EXPECT_FALSE(counters.empty());
	for (const auto &one : counters) {
		EXPECT_EQ(one.pad, 0u);
		if (one.id == OAC_COUNTER_BOOTS) {
			EXPECT_GE(one.value, 1u);
		}
	}
}

TEST_F(info, events_rise_and_begin_where_asked)
{
	const auto events = all<drm_oac_info_event>(DRM_OAC_INFO_EVENTS);

	ASSERT_FALSE(events.empty());
	for (std::size_t i = 1; i < events.size(); i++)
		EXPECT_GT(events[i].seq, events[i - 1].seq);
	const std::uint64_t last = events.back().seq;
	const auto tail = all<drm_oac_info_event>(DRM_OAC_INFO_EVENTS, last);
	ASSERT_GE(tail.size(), 1u);
	EXPECT_EQ(tail.front().seq, last);
	EXPECT_TRUE(all<drm_oac_info_event>(DRM_OAC_INFO_EVENTS, last + 1000).empty());
}

TEST_F(usage, client_is_listed_with_what_it_holds)
{
	const node on = open();
	const auto fresh = self(on);

	EXPECT_EQ(fresh.pid, getpid());
	EXPECT_EQ(fresh.uid, geteuid());
	EXPECT_EQ(fresh.contexts, 0u);
	EXPECT_EQ(fresh.host_bytes, 0u);
	EXPECT_EQ(fresh.commands, 0u);
	on.context();
	on.context();
	const std::uint32_t handle = on.buffer(size);
	auto now = self(on);
	EXPECT_EQ(now.contexts, 2u);
	EXPECT_EQ(now.queues, 0u);
	EXPECT_EQ(now.host_bytes, size);
	EXPECT_EQ(now.local_bytes, 0u);
	EXPECT_EQ(now.pinned_bytes, 0u);
	drm_gem_close close = {};
	close.handle = handle;
	ASSERT_EQ(on(close), 0);
	EXPECT_EQ(self(on).host_bytes, 0u);
	EXPECT_EQ(clients().size(), clients(&on).size());
	EXPECT_GE(clients().size(), 2u);
	make_queue();
	EXPECT_EQ(self(dev()).queues, 1u);
}

TEST_F(usage, contexts_are_those_of_the_file)
{
	const node on = open();

	EXPECT_TRUE(contexts(&on).empty());
	ASSERT_EQ(map(dev().buffer(size), at, size), 0);
	const auto made = make_queue();
	const std::uint32_t second = dev().context();
	const auto listed = contexts();
	ASSERT_EQ(listed.size(), 2u);
	EXPECT_EQ(listed[0].context, context_);
	EXPECT_EQ(listed[0].queues, 1u);
	EXPECT_EQ(listed[0].maps, 2u);
	EXPECT_EQ(listed[0].mapped_bytes, size + ring_size);
	EXPECT_EQ(listed[0].pad, 0u);
	EXPECT_EQ(listed[1].context, second);
	EXPECT_EQ(listed[1].maps, 0u);
	drm_oac_queue_destroy destroy = { made.queue, 0 };
	ASSERT_EQ(dev()(destroy), 0);
	ASSERT_EQ(unmap(at, size), 0);
	EXPECT_EQ(contexts()[0].queues, 0u);
	EXPECT_EQ(contexts()[0].mapped_bytes, ring_size);
}

TEST_F(usage, work_is_counted_and_stays_when_the_queue_is_gone)
{
	ASSERT_EQ(map(dev().buffer(size), at, size), 0);
	ASSERT_EQ(fill(at, size, 1), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	ASSERT_EQ(copy(at, at + size / 2, size / 2), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	const auto now = contexts().at(0);
	EXPECT_EQ(now.queues, 0u);
	EXPECT_EQ(now.commands, 2u);
	EXPECT_EQ(now.errors, 0u);
	EXPECT_GT(now.copy_ns, 0u);
	EXPECT_EQ(now.compute_ns, 0u);
	EXPECT_NE(fill(at + size, size, 1), static_cast<std::uint32_t>(OAC_ST_SUCCESS));
	EXPECT_EQ(contexts().at(0).errors, 1u);
	EXPECT_GE(contexts().at(0).copy_ns, now.copy_ns);
	const auto client = self(dev());
	EXPECT_EQ(client.commands, 3u);
	EXPECT_EQ(client.copy_ns, contexts().at(0).copy_ns);
	/* And when the context is. */
	drm_oac_context_destroy destroy = { context_, 0 };
	ASSERT_EQ(dev()(destroy), 0);
	EXPECT_EQ(self(dev()).commands, 3u);
	EXPECT_EQ(self(dev()).copy_ns, client.copy_ns);
}

TEST_F(usage, live_queue_is_counted_while_it_runs)
{
	const auto made = make_queue();
	const bell bell(dev(), made);
	drm_oac_queue_wait wait = {};

	ASSERT_TRUE(bell.is_valid());
	ASSERT_EQ(submit(bell, 0, OAC_CMD_NOP), 0);
	wait.queue = made.queue;
	wait.deadline_ns = deadline_ms(60000);
	ASSERT_EQ(dev()(wait), 0);
	EXPECT_EQ(contexts().at(0).commands, 1u);
	EXPECT_EQ(self(dev()).commands, 1u);
}

TEST_F(usage, others_are_seen_by_the_same_user_and_by_the_administrator_only)
{
	if (geteuid() != 0)
		GTEST_SKIP() << "changing users takes root";
	const node extra = open();
	const std::size_t all_of_them = clients().size();

	ASSERT_GE(all_of_them, 2u);
	/* Opened by root: an ordinary user that got the descriptor sees none of root's. */
	as_user(nobody, [this] { EXPECT_TRUE(clients().empty()); });
	as_user(0, [this, all_of_them] { EXPECT_EQ(clients().size(), all_of_them); });
}

TEST_F(usage, fdinfo_has_the_standard_keys)
{
	const node on = open();
	auto keys = fdinfo(on);

	EXPECT_EQ(keys["drm-driver"], "oac");
	EXPECT_EQ(keys["drm-pdev"], pci_address(path()));
	EXPECT_FALSE(keys["drm-client-id"].empty());
	EXPECT_NE(keys["drm-client-id"], fdinfo(dev())["drm-client-id"]);
	EXPECT_EQ(keys["drm-engine-compute"], "0 ns");
	EXPECT_EQ(keys["drm-engine-copy"], "0 ns");
	for (const char *region : { "memory", "local" }) {
		for (const char *what : { "drm-total-", "drm-shared-", "drm-resident-" })
			EXPECT_EQ(keys[std::string(what) + region], "0 KiB") << what << region;
	}
	const std::uint32_t handle = on.buffer(size);
	keys = fdinfo(on);
	EXPECT_EQ(keys["drm-total-memory"], std::to_string(size >> 10) + " KiB");
	EXPECT_EQ(keys["drm-resident-memory"], std::to_string(size >> 10) + " KiB");
	EXPECT_EQ(keys["drm-shared-memory"], "0 KiB");
	drm_prime_handle prime = {};
	prime.handle = handle;
	ASSERT_EQ(on.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	EXPECT_EQ(fdinfo(on)["drm-shared-memory"], std::to_string(size >> 10) + " KiB");
	close(prime.fd);
	ASSERT_EQ(map(dev().buffer(size), at, size), 0);
	fill(at, size, 1);
	EXPECT_EQ(fdinfo(dev())["drm-engine-copy"], std::to_string(self(dev()).copy_ns) + " ns");
	if (has_local()) {
		local_buffer(size);
		EXPECT_EQ(fdinfo(dev())["drm-total-local"], std::to_string(size >> 10) + " KiB");
		EXPECT_EQ(self(dev()).local_bytes, size);
	}
}
