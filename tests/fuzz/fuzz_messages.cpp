// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The vfio-user server under a client that sends anything, in any order, with or without
// descriptors, and answers the card's own requests with anything. A real card with firmware is
// behind it. Nothing may crash, and after a disconnect the next client must be served.
#include <fuzzer/FuzzedDataProvider.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include <model/card.hpp>
#include <vfio_user/endpoint.hpp>

#include "firmware_builder.hpp"

namespace oac::vfio_user
{
namespace
{

constexpr std::uint64_t MEMORY = 1 << 16;
constexpr unsigned MESSAGES = 64;
constexpr unsigned STEPS = 64;

/* Both directions at once: what the server sends goes nowhere. */
class fuzzed_channel : public channel
{
public:
	explicit fuzzed_channel(FuzzedDataProvider &input) : input_(input) {}

	bool send(std::span<const std::byte> bytes, int) override
	{
		if (bytes.size() >= sizeof(vfio_user_header))
			std::memcpy(&last_, bytes.data(), sizeof(last_));
		return input_.remaining_bytes() > 0;
	}

	std::optional<message> receive(std::chrono::milliseconds) override
	{
		if (input_.remaining_bytes() == 0)
			return std::nullopt;
		message m = next();
		/* Now and then the answer that the card waits for. */
		if (input_.ConsumeBool()) {
			m.header.id = last_.id;
			m.header.cmd = last_.cmd;
			m.header.flags = VFIO_USER_TYPE_REPLY;
		}
		return m;
	}

	message next()
	{
		message m;
		m.header.id = input_.ConsumeIntegral<std::uint16_t>();
		m.header.cmd = input_.ConsumeIntegralInRange<std::uint16_t>(0, 17);
		if (input_.ConsumeBool())
			m.header.flags = input_.ConsumeIntegral<std::uint32_t>();
		m.payload = payload(m.header.cmd);
		m.header.size = static_cast<std::uint32_t>(sizeof(m.header) + m.payload.size());
		if (input_.ConsumeBool())
			add_fds(m);
		return m;
	}

	static message hello()
	{
		static const char text[] = "{\"capabilities\":{\"max_msg_fds\":16}}";
		message m;
		m.header.cmd = VFIO_USER_VERSION;
		m.payload.resize(sizeof(vfio_user_version) + sizeof(text));
		std::memcpy(m.payload.data() + sizeof(vfio_user_version), text, sizeof(text));
		m.header.size = static_cast<std::uint32_t>(sizeof(m.header) + m.payload.size());
		return m;
	}

private:
	template <typename Struct>
	static void append(std::vector<std::byte> &to, const Struct &what)
	{
		const auto bytes = std::as_bytes(std::span(&what, 1));
		to.insert(to.end(), bytes.begin(), bytes.end());
	}

	/* Close enough to a good one that it gets past the first check; then the input's bytes. */
	std::vector<std::byte> payload(std::uint16_t cmd)
	{
		std::vector<std::byte> made;
		if (input_.ConsumeBool()) {
			switch (cmd) {
			case VFIO_USER_REGION_READ:
			case VFIO_USER_REGION_WRITE: {
				vfio_user_region_access access{};
				access.offset =
					input_.ConsumeIntegralInRange<std::uint64_t>(0, 0x9000);
				access.region = input_.ConsumeIntegralInRange<std::uint32_t>(0, 9);
				access.count = 1u << input_.ConsumeIntegralInRange(0, 4);
				append(made, access);
				break;
			}
			case VFIO_USER_DMA_MAP: {
				vfio_user_dma_map map{};
				map.argsz = sizeof(map);
				map.flags = input_.ConsumeIntegralInRange(0u, 3u);
				map.offset = input_.ConsumeIntegralInRange(0ull, 17ull) * 0x1000;
				map.address = input_.ConsumeIntegral<std::uint16_t>() * 0x1000ull;
				map.size = input_.ConsumeIntegralInRange(0ull, 20ull) * 0x1000;
				append(made, map);
				break;
			}
			case VFIO_USER_DEVICE_SET_IRQS: {
				vfio_user_irq_set set{};
				set.argsz = sizeof(set);
				set.flags = input_.ConsumeIntegral<std::uint8_t>();
				set.index = input_.ConsumeIntegralInRange(0u, 5u);
				set.start = input_.ConsumeIntegralInRange(0u, 70u);
				set.count = input_.ConsumeIntegralInRange(0u, 70u);
				append(made, set);
				break;
			}
			default:
				break;
			}
		}
		const auto rest = input_.ConsumeBytes<std::byte>(
			input_.ConsumeIntegralInRange<std::size_t>(0, 64));
		made.insert(made.end(), rest.begin(), rest.end());
		return made;
	}

	void add_fds(message &m)
	{
		for (unsigned i = input_.ConsumeIntegralInRange(0u, 3u); i > 0; i--) {
			unique_fd fd(input_.ConsumeBool() ? eventfd(0, EFD_NONBLOCK) :
							    memfd_create("fuzz", 0));
			if (fd.get() < 0)
				std::abort();
			/* An eventfd refuses: it has no size. */
			if (ftruncate(fd.get(), MEMORY) == 0)
				m.has_all_fds = true;
			m.fds.push_back(std::move(fd));
		}
	}

	FuzzedDataProvider &input_;
	vfio_user_header last_{};
};

emu::card_config config()
{
	emu::card_config made;
	made.lmem_size = 1 << 20;
	made.doorbell_pages = 8;
	made.trusted_key = emu::test::firmware_builder::public_key();
	return made;
}

void serve(FuzzedDataProvider &input, endpoint &shell)
{
	fuzzed_channel client(input);
	shell.connect(client);
	if (input.ConsumeBool())
		shell.handle(fuzzed_channel::hello());
	for (unsigned i = 0; i < MESSAGES && input.remaining_bytes() > 0; i++) {
		if (!shell.handle(client.next()) || shell.is_broken())
			break;
		for (unsigned j = 0; j < STEPS && shell.step(); j++)
			;
	}
	shell.disconnect();
}

} // namespace
} // namespace oac::vfio_user

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace oac::vfio_user;
	FuzzedDataProvider input(data, size);
	endpoint shell("fuzz", OAC_MSIX_VECTORS);
	oac::emu::card card(config(), shell);

	shell.attach(card);
	serve(input, shell);
	serve(input, shell);
	return 0;
}
