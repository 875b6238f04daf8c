// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Export and import: between handles, cards and processes; memory of others; what is no memory.
#include "fixture.hpp"

#include <algorithm>

#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace
{

using api::page;

class share_test : public api::queue_test
{
protected:
	accel::completion fill(std::uint64_t address, std::size_t size)
	{
		return api::run(queue(), [&](std::uint32_t tag) {
			return queue().try_fill(address, size, std::uint8_t{ 0x5a }, tag);
		});
	}

	int import(int fd)
	{
		accel_buffer *raw = nullptr;
		int result = accel_buffer_import(device().get(), fd, &raw);
		EXPECT_EQ(raw != nullptr, result == 0);
		if (result == 0) {
			EXPECT_EQ(accel_buffer_free(raw), 0);
		}
		return result;
	}
};

accel::descriptor memory_file(std::size_t size, unsigned flags = MFD_ALLOW_SEALING)
{
	accel::descriptor file(memfd_create("test", flags | MFD_CLOEXEC));
	EXPECT_GE(file.get(), 0);
	EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(size)), 0);
	return file;
}

TEST_F(share_test, import_of_an_own_export_is_the_same_memory)
{
	std::optional<accel::buffer> original(std::in_place, device(), 4 * page);
	original->as<std::uint32_t>()[0] = 0x1234;
	std::optional<accel::buffer> copy;
	{
		const auto fd = original->export_fd();
		ASSERT_GE(fd.get(), 0);
		EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
		copy = accel::buffer::import_fd(device(), fd.get());
	}
	EXPECT_EQ(copy->kind(), ACCEL_BUFFER_IMPORTED);
	EXPECT_EQ(copy->size(), 4 * page);
	ASSERT_FALSE(copy->bytes().empty());
	EXPECT_NE(copy->bytes().data(), original->bytes().data());
	EXPECT_EQ(copy->as<std::uint32_t>()[0], 0x1234u);

	// Independent: mapped each for itself, and either may go first.
	accel::mapping first(context(), *original);
	{
		accel::mapping second(context(), *copy);
		EXPECT_NE(first.address(), second.address());
		EXPECT_DONE(fill(second.address() + page, page));
		EXPECT_EQ(original->as<std::uint8_t>()[page], 0x5a);
		EXPECT_EQ(copy->close(), -EBUSY);
	}
	EXPECT_EQ(first.unmap(), 0);
	EXPECT_EQ(original->close(), 0) << accel_error_text();
	accel::mapping again(context(), *copy);
	EXPECT_DONE(fill(again.address(), page));
	EXPECT_EQ(copy->as<std::uint8_t>()[0], 0x5a);
}

TEST_F(share_test, many_imports_end_in_any_order)
{
	accel::buffer original(device(), page);
	const auto fd = original.export_fd();
	std::vector<accel::buffer> copies;
	for (unsigned i = 0; i < 10; i++)
		copies.push_back(accel::buffer::import_fd(device(), fd.get()));
	api::numbers random(3);
	for (std::uint8_t value = 1; !copies.empty(); value++) {
		copies.back().as<std::uint8_t>()[7] = value;
		EXPECT_EQ(original.as<std::uint8_t>()[7], value);
		accel::mapping mapping(context(), copies.front());
		EXPECT_DONE(fill(mapping.address(), 4));
		mapping.unmap();
		copies.erase(copies.begin() + static_cast<long>(random.next() % copies.size()));
	}
	accel::mapping mapping(context(), original);
	EXPECT_DONE(fill(mapping.address(), page));
}

TEST_F(share_test, another_card_sees_it)
{
	accel::device other = open_other();
	accel::context there(other);
	accel::queue far(there);
	accel::buffer ours(device(), 2 * page);
	const auto fd = ours.export_fd();
	auto theirs = accel::buffer::import_fd(other, fd.get());
	accel::mapping here(context(), ours), seen(there, theirs);

	EXPECT_DONE(fill(here.address(), page));
	EXPECT_DONE(api::run(far, [&](std::uint32_t tag) {
		return far.try_copy(seen.address() + page, seen.address(), page, tag);
	}));
	EXPECT_EQ(std::ranges::count(ours.as<std::uint8_t>(), 0x5a), 2 * static_cast<long>(page));
	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(context().get(), theirs.get(), 0, 0, ACCEL_MAP_READ, &address),
		  -EXDEV);
	EXPECT_NE(std::string_view(accel_error_text()).find("import"), std::string_view::npos);
}

TEST_F(share_test, another_process_sees_it)
{
	accel::buffer ours(device(), page);
	accel::mapping mapping(context(), ours);
	const auto fd = ours.export_fd();
	EXPECT_DONE(fill(mapping.address(), page / 2));

	const pid_t child = fork();
	if (child == 0) {
		void *seen = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
		if (seen == MAP_FAILED)
			_exit(2);
		auto *bytes = static_cast<volatile std::uint8_t *>(seen);
		if (bytes[0] != 0x5a || bytes[page - 1] != 0)
			_exit(3);
		bytes[page - 1] = 0x77;
		_exit(0);
	}
	int status = -1;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 0);
	EXPECT_EQ(ours.as<std::uint8_t>()[page - 1], 0x77);
	auto out = memory().take<std::uint8_t>(8);
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(out.address, mapping.address() + page - 8, 8, tag);
	}));
	EXPECT_EQ(out.host[7], 0x77);
}

TEST_F(share_test, local_memory_is_exported_or_says_why_not)
{
	accel_buffer *raw = nullptr;
	if (accel_buffer_alloc_local(device().get(), 2 * page, &raw) == -EOPNOTSUPP)
		GTEST_SKIP() << "no local memory here: " << accel_error_text();
	ASSERT_NE(raw, nullptr) << accel_error_text();
	int fd = -1;
	const int result = accel_buffer_export(raw, &fd);
	if (!on_kernel()) {
		EXPECT_EQ(result, -EOPNOTSUPP);
		EXPECT_EQ(fd, -1);
		EXPECT_NE(std::string_view(accel_error_text()).find("accel_stage"),
			  std::string_view::npos);
		EXPECT_EQ(accel_buffer_free(raw), 0);
		return;
	}
	ASSERT_EQ(result, 0) << accel_error_text();
	const accel::descriptor file(fd);
	EXPECT_EQ(accel_buffer_free(raw), 0);
	{
		auto same = accel::buffer::import_fd(device(), file.get());
		accel::mapping mapping(context(), same);
		EXPECT_DONE(fill(mapping.address(), 2 * page));
	}
}

/* With a path, the other card works on it itself; without, the error says what to use instead. */
TEST_F(share_test, local_memory_of_another_card_is_memory_or_says_why_not)
{
	accel_buffer *raw = nullptr;
	if (accel_buffer_alloc_local(device().get(), 4 * page, &raw) == -EOPNOTSUPP)
		GTEST_SKIP() << "no local memory here: " << accel_error_text();
	ASSERT_EQ(accel_buffer_free(raw), 0);
	accel::device other = open_other();
	auto ours = accel::buffer::local(device(), 4 * page);
	std::uint64_t has_peer = 0;
	ASSERT_EQ(accel_device_number(other.get(), ACCEL_NUMBER_FEATURE_PEER, &has_peer), 0);
	int fd = -1;
	const int exported = accel_buffer_export(ours.get(), &fd);
	const accel::descriptor file(fd);
	const int imported = exported ? exported :
					accel_buffer_import(other.get(), file.get(), &raw);
	if (!has_peer) {
		EXPECT_EQ(imported, -EOPNOTSUPP) << accel_error_text();
		EXPECT_NE(std::string_view(accel_error_text()).find("accel_stage"),
			  std::string_view::npos);
		return;
	}
	ASSERT_EQ(imported, 0) << accel_error_text();
	EXPECT_EQ(accel_buffer_free(raw), 0);
	auto theirs = accel::buffer::import_fd(other, file.get());
	auto source = accel::buffer::local(other, 4 * page);
	accel::context there(other);
	accel::queue far(there);
	accel::mapping from(there, source), to(there, theirs), here(context(), ours);
	auto words = source.as<std::uint32_t>();
	for (std::uint32_t i = 0; i < words.size(); i++)
		words[i] = i * 2654435761u;
	EXPECT_DONE(api::run(far, [&](std::uint32_t tag) {
		return far.try_copy(to.address() + page, from.address() + page, 3 * page, tag);
	}));
	auto seen = ours.as<std::uint32_t>();
	EXPECT_EQ(seen[page / 4 - 1], 0u);
	EXPECT_TRUE(std::ranges::equal(words.subspan(page / 4), seen.subspan(page / 4)));
	/* And what the owner does to it, the other card sees. */
	EXPECT_DONE(fill(here.address(), 2 * page));
	EXPECT_DONE(api::run(far, [&](std::uint32_t tag) {
		return far.try_copy(from.address(), to.address(), 2 * page, tag);
	}));
	EXPECT_EQ(std::ranges::count(source.as<std::uint8_t>().first(2 * page), 0x5a),
		  2 * static_cast<long>(page));
}

TEST_F(share_test, memory_files_need_no_kernel_driver)
{
	const auto file = memory_file(4 * page);
	if (on_kernel()) {
		EXPECT_EQ(import(file.get()), -EINVAL);
		EXPECT_NE(std::string_view(accel_error_text()).find("udmabuf"),
			  std::string_view::npos);
		GTEST_SKIP() << "the kernel driver takes dma-bufs only";
	}
	auto buffer = accel::buffer::import_fd(device(), file.get());
	EXPECT_EQ(buffer.size(), 4 * page);
	accel::mapping mapping(context(), buffer);
	EXPECT_DONE(fill(mapping.address() + page, page));
	std::uint8_t byte = 0;
	EXPECT_EQ(pread(file.get(), &byte, 1, page), 1);
	EXPECT_EQ(byte, 0x5a);
	// It cannot be pulled away from under the card any more.
	EXPECT_EQ(ftruncate(file.get(), page), -1);
	EXPECT_EQ(errno, EPERM);
}

TEST_F(share_test, a_memory_file_that_may_shrink_is_refused)
{
	if (on_kernel())
		GTEST_SKIP() << "the kernel driver takes dma-bufs only";
	const auto shrinking = memory_file(page, 0);
	EXPECT_EQ(import(shrinking.get()), -EINVAL);
	EXPECT_NE(std::string_view(accel_error_text()).find("MFD_ALLOW_SEALING"),
		  std::string_view::npos);

	const auto sealed = memory_file(page);
	ASSERT_EQ(fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	EXPECT_EQ(import(sealed.get()), 0) << accel_error_text();

	const auto read_only = memory_file(page);
	ASSERT_EQ(fcntl(read_only.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(import(read_only.get()), -EINVAL);
}

TEST_F(share_test, what_is_no_memory_is_einval)
{
	int ends[2];
	ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
	const accel::descriptor out(ends[0]), in(ends[1]);
	const accel::descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
	const accel::descriptor file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(import(out.get()), -EINVAL);
	EXPECT_EQ(import(null.get()), -EINVAL);
	EXPECT_EQ(import(file.get()), -EINVAL);
	EXPECT_EQ(import(-1), -EINVAL);
	EXPECT_EQ(import(1 << 20), -EINVAL);
	EXPECT_EQ(import(memory_file(0).get()), -EINVAL);
	EXPECT_EQ(import(memory_file(page + 1).get()), -EINVAL);

	accel::buffer buffer(device(), page);
	accel_buffer *raw = nullptr;
	int fd = -1;
	EXPECT_EQ(accel_buffer_import(nullptr, 0, &raw), -EINVAL);
	EXPECT_EQ(accel_buffer_import(device().get(), 0, nullptr), -EINVAL);
	EXPECT_EQ(accel_buffer_export(nullptr, &fd), -EINVAL);
	EXPECT_EQ(accel_buffer_export(buffer.get(), nullptr), -EINVAL);
	EXPECT_EQ(accel_buffer_kind(nullptr), ACCEL_BUFFER_HOST);
}

TEST_F(share_test, a_dma_buf_of_another_driver_is_memory)
{
	const accel::descriptor driver(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
	if (driver.get() < 0)
		GTEST_SKIP() << "no /dev/udmabuf to make a dma-buf with, or no right to it";
	const auto file = memory_file(8 * page);
	ASSERT_EQ(fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
	udmabuf_create create{};
	create.memfd = static_cast<std::uint32_t>(file.get());
	create.flags = UDMABUF_FLAGS_CLOEXEC;
	create.offset = 2 * page;
	create.size = 4 * page;
	const accel::descriptor dma_buf(ioctl(driver.get(), UDMABUF_CREATE, &create));
	ASSERT_GE(dma_buf.get(), 0) << strerror(errno);

	auto buffer = accel::buffer::import_fd(device(), dma_buf.get());
	EXPECT_EQ(buffer.size(), 4 * page);
	accel::mapping mapping(context(), buffer);
	EXPECT_DONE(fill(mapping.address() + page, page));
	std::vector<std::uint8_t> bytes(8 * page);
	ASSERT_EQ(pread(file.get(), bytes.data(), bytes.size(), 0),
		  static_cast<ssize_t>(bytes.size()));
	EXPECT_EQ(bytes[3 * page - 1], 0);
	EXPECT_EQ(bytes[3 * page], 0x5a);
	EXPECT_EQ(bytes[4 * page - 1], 0x5a);
	EXPECT_EQ(bytes[4 * page], 0);
}

} // namespace
