// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "device.hpp"

#include <cstring>
#include <vector>

using namespace oac::abi;

class info : public device_test
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
	std::vector<T> all(std::uint32_t topic, std::uint64_t start = 0) const
	{
		auto get = good(topic, 0, 0, nullptr);

		get.start = start;
		EXPECT_EQ(dev()(get), 0);
		std::vector<T> list(get.count + 8);
		get = good(topic, sizeof(T), static_cast<std::uint32_t>(list.size()), list.data());
		get.start = start;
		EXPECT_EQ(dev()(get), 0);
		list.resize(get.count);
		return list;
	}
};

TEST_F(info, refuses_topics_padding_and_strides)
{
	drm_oac_info_device device = {};
	auto get = good(0, sizeof(device), 1, &device);

	for (std::uint32_t topic : { 0u, 7u, 0x80000000u, u32_max }) {
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
