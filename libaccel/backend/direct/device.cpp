// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The direct backend: one handle on a card that this process drives itself, and the lists of such
// cards. All the work is the card's, which other handles may share.
#include "backend.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <hw/oac_admin.h>
#include <hw/oac_regs.h>

#include "card_registry.hpp"
#include "error.hpp"

namespace accel::direct
{

namespace
{

class device final : public backend
{
public:
	explicit device(std::shared_ptr<card> opened)
		: backend(opened->epoch()), card_(std::move(opened)), group_(card_->next_group())
	{
	}
	const char *kind() const noexcept override { return "direct"; }
	const std::string &name() const noexcept override { return card_->name(); }
	device_info info() override
	{
		return watched([&] { return card_->info(); });
	}
	std::uint32_t context_create() override
	{
		return watched([&] { return card_->context_create(group_); });
	}
	void context_destroy(std::uint32_t context) noexcept override
	{
		card_->context_destroy(context);
	}
	usage_reading context_usage(std::uint32_t context) override
	{
		return watched([&] { return card_->context_usage(context); });
	}
	buffer_memory buffer_alloc(std::size_t size) override
	{
		auto memory = std::make_unique<owned_memory>();
		memory->host = watched([&] { return card_->allocate(size); });
		memory->counted = size;
		card_->host_bytes.fetch_add(size);
		return hand_out(std::move(memory));
	}
	buffer_memory buffer_alloc_local(std::size_t size) override
	{
		auto memory = std::make_unique<owned_memory>();
		memory->local = watched([&] { return card_->allocate_local(size); });
		return hand_out(std::move(memory));
	}
	buffer_memory buffer_wrap(void *, std::size_t, bool) override
	{
		throw failure(EOPNOTSUPP,
			      "card " + name() +
				      ": only the kernel driver can pin the memory of a program; "
				      "copy it into a buffer, or use accel_buffer_import() on a "
				      "memory file");
	}
	int buffer_export(const buffer_memory &memory) override
	{
		if (!owned_by(memory).host)
			throw failure(EOPNOTSUPP,
				      "card " + name() +
					      ": without the kernel driver its local memory cannot "
					      "be exported; use a host buffer, or accel_stage to "
					      "copy between cards");
		return owned_by(memory).host->export_file();
	}
	buffer_memory buffer_import(int fd) override
	{
		auto memory = std::make_unique<owned_memory>();
		memory->host = watched([&] { return card_->import(fd); });
		return hand_out(std::move(memory));
	}
	void buffer_free(const buffer_memory &memory) noexcept override
	{
		const std::unique_ptr<owned_memory> freed(&owned_by(memory));
		card_->host_bytes.fetch_sub(freed->counted);
	}
	void map(std::uint32_t context, const buffer_memory &memory, std::size_t offset,
		 std::size_t size, std::uint64_t va, std::uint32_t flags) override
	{
		const owned_memory &owned = owned_by(memory);
		const std::uint64_t start = owned.local ? owned.local->offset() :
							  owned.host->bus_address();
		watched([&] {
			card_->map(context, start + offset, size, va,
				   owned.local ? flags | OAC_MAP_LOCAL : flags, owned.local.get());
		});
	}
	void unmap(std::uint32_t context, std::uint64_t va, std::size_t size) override
	{
		watched([&] { card_->unmap(context, va, size); });
	}
	queue_port queue_create(std::uint32_t context, const queue_rings &rings) override
	{
		return watched([&] { return card_->queue_create(context, rings); });
	}
	void queue_destroy(std::uint32_t queue) noexcept override { card_->queue_destroy(queue); }
	int ring(std::uint32_t queue, std::uint32_t sq_tail) noexcept override
	{
		return told(card_->queue_ring(queue, OAC_DB_SQ_TAIL, sq_tail, sizeof(sq_tail)));
	}
	int arm(std::uint32_t queue, std::uint64_t arm_word) noexcept override
	{
		return told(card_->queue_ring(queue, OAC_DB_ARM, arm_word, sizeof(arm_word)));
	}
	int queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
		       queue_progress *progress) noexcept override
	{
		return told(card_->queue_wait(queue, seen, deadline, progress));
	}
	int queue_event_fd(std::uint32_t queue) override { return card_->queue_event_fd(queue); }
	void queue_fence(std::uint32_t, std::uint32_t, int, std::uint64_t) override { no_fences(); }
	int queue_sync_file(std::uint32_t, std::uint32_t) override { no_fences(); }
	int sync_file_of(int, std::uint64_t) override { no_fences(); }
	void follow_sync_file(const buffer_memory &, std::size_t, std::uint64_t, int) override
	{
		no_fences();
	}
	std::vector<client_reading> clients() override
	{
		return { watched([&] { return card_->client(); }) };
	}
	telemetry_reading telemetry() override
	{
		return watched([&] { return card_->telemetry(); });
	}
	std::size_t events(std::uint64_t from, std::span<event_reading> found) override
	{
		return watched([&] { return card_->events(from, found); });
	}
	void firmware_load(std::span<const std::byte> image, std::int64_t deadline) override
	{
		watched([&] { card_->firmware_load(image, deadline); });
	}
	health_reading health() override { return card_->health(); }
	std::array<rung_reading, OAC_RUNG_COUNT> rungs() override { return card_->rungs(); }
	std::unique_ptr<event_source> event_stream(std::uint64_t from) override
	{
		return card_->event_stream(from);
	}
	void recover(std::int64_t deadline) override
	{
		watched([&] { card_->recover(deadline); });
	}
	void reset(std::uint32_t rung, std::int64_t deadline) override
	{
		watched([&] { card_->reset(rung, deadline); });
	}
	std::uint64_t self_test(std::int64_t deadline) override
	{
		return watched([&] { return card_->self_test(deadline); });
	}
	std::uint32_t context_lost(std::uint32_t context) override
	{
		return card_->context_lost(context);
	}
	int change_fd() noexcept override { return card_->change_fd(); }
	int lost_fd() const noexcept override { return card_->lost_fd(); }
	void look() noexcept override
	{
		if (card_->is_gone())
			lose();
	}

private:
	/* What a buffer is made of: one of the two. */
	struct owned_memory {
		std::unique_ptr<host_memory> host;
		std::unique_ptr<local_memory> local;
		std::size_t counted = 0;	/* in host_bytes of the card */
	};
	static owned_memory &owned_by(const buffer_memory &memory) noexcept
	{
		return *reinterpret_cast<owned_memory *>(memory.handle);
	}
	/* Until buffer_free(). */
	static buffer_memory hand_out(std::unique_ptr<owned_memory> memory) noexcept
	{
		buffer_memory out;
		out.host = memory->local ? memory->local->data() : memory->host->data();
		out.size = memory->local ? memory->local->size() : memory->host->size();
		out.handle = reinterpret_cast<std::uintptr_t>(memory.release());
		return out;
	}
	[[noreturn]] void no_fences() const
	{
		throw failure(EOPNOTSUPP, "card " + name() +
						  ": fences of the kernel need the kernel driver; "
						  "use timelines, and accel_queue_fd() to poll");
	}
	/* Lost is lost for each handle of the card, as soon as it touches it. */
	int told(int result) noexcept
	{
		if (result == -ENODEV)
			lose();
		return result;
	}
	template <typename Call>
	auto watched(const Call &call) -> decltype(call())
	{
		try {
			return call();
		} catch (...) {
			if (card_->is_lost())
				lose();
			throw;
		}
	}

	std::shared_ptr<card> card_;
	std::uint32_t group_;	/* contexts of one handle share the card as one client */
	fork_entry fork_entry_{ *this };
};

} // namespace

std::vector<listed_card> list_emulated(unsigned count)
{
	std::vector<listed_card> cards;
	for (unsigned index = 0; index < count; index++)
		cards.push_back({ "emu:" + std::to_string(index), {}, {} });
	return cards;
}

std::vector<listed_card> list_sockets(const std::string &directory)
{
	namespace fs = std::filesystem;
	std::vector<std::string> paths;
	std::error_code error;
	for (fs::directory_iterator at(directory, error), end; !error && at != end;
	     at.increment(error)) {
		const std::string file = at->path().filename();
		std::error_code ignored;
		if (file.starts_with("card") && file.ends_with(".sock") && at->is_socket(ignored))
			paths.push_back(at->path());
	}
	if (error)
		throw failure(EINVAL, "ACCEL_SOCKETS='" + directory + "': " + error.message() +
					      "; name a directory of cards, or unset it");
	std::ranges::sort(paths, [](const std::string &a, const std::string &b) {
		return strverscmp(a.c_str(), b.c_str()) < 0;
	});
	std::vector<listed_card> cards;
	cards.reserve(paths.size());
	for (std::string &path : paths)
		cards.push_back({ "socket:" + std::move(path), {}, {} });
	return cards;
}

std::unique_ptr<backend> handle_on(std::shared_ptr<card> opened)
{
	return std::make_unique<device>(std::move(opened));
}

std::unique_ptr<backend> open(const std::string &name)
{
	return handle_on(open_card(name));
}

} // namespace accel::direct
