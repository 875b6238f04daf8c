// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Firmware images nobody has vouched for. Three ways in, by the first byte: the bytes as they are; a
// section table of the input's that is then signed; a manifest of the input's in a good image. What
// boots must be a card that describes itself within the contract's limits.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <vector>

#include <model/firmware_image.hpp>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

template <typename Struct>
void overwrite(Struct &what, FuzzedDataProvider &input)
{
	const auto bytes = input.ConsumeBytes<std::byte>(sizeof(what));
	std::ranges::copy(bytes, reinterpret_cast<std::byte *>(&what));
}

class one_card : public bench
{
public:
	void TestBody() override {}

	void try_image(const std::vector<std::byte> &image)
	{
		power_up({});
		if (image.empty() || boot(image) != OAC_STATE_RUNNING)
			return;
		enable_admin();
		oac_admin_cmd cmd = command(OAC_ADMIN_IDENTIFY);
		cmd.data_addr = alloc(sizeof(oac_identify));
		cmd.data_size = sizeof(oac_identify);
		ASSERT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		const oac_identify &id = host<oac_identify>(cmd.data_addr);
		ASSERT_GE(id.engine_count, 1u);
		ASSERT_LE(id.engine_count, OAC_FW_ENGINES_MAX);
		ASSERT_LE(id.max_queues, 15u);
		ASSERT_LE(id.max_depth_log2, OAC_FW_DEPTH_LOG2_MAX);
		ASSERT_LE(id.sensor_count, OAC_SENSOR_MAX);
		ASSERT_EQ(get_log<oac_sensor_info>(OAC_LOG_SENSOR_INFO).size(), id.sensor_count);
		ASSERT_EQ(get_log<oac_sensor_value>(OAC_LOG_SENSOR_VALUES).size(), id.sensor_count);
	}
};

std::vector<std::byte> image_from(FuzzedDataProvider &input)
{
	firmware_builder builder;

	switch (input.ConsumeIntegralInRange(0, 2)) {
	case 0:
		return input.ConsumeRemainingBytes<std::byte>();
	case 1:
		builder.on_table = [&](oac_fw_header &header, std::vector<oac_fw_section> &table) {
			if (input.ConsumeBool())
				overwrite(header, input);
			for (oac_fw_section &section : table) {
				if (input.ConsumeBool())
					overwrite(section, input);
			}
		};
		return builder.build();
	default:
		while (input.remaining_bytes() > 0) {
			const auto at = input.ConsumeIntegralInRange<std::size_t>(
				0, sizeof(builder.manifest) - 1);
			const auto bytes = input.ConsumeBytes<std::byte>(
				input.ConsumeIntegralInRange<std::size_t>(1, 8));
			std::copy_n(bytes.begin(),
				    std::min(bytes.size(), sizeof(builder.manifest) - at),
				    reinterpret_cast<std::byte *>(&builder.manifest) + at);
		}
		return builder.build();
	}
}

} // namespace
} // namespace oac::emu::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace oac::emu::test;
	static one_card card;
	::testing::FLAGS_gtest_break_on_failure = true;
	FuzzedDataProvider input(data, size);

	card.try_image(image_from(input));
	return 0;
}
