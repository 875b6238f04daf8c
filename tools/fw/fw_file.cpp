// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Whole files in and out. Plain system calls: they say why they fail, and they set a secret key's
// permissions when the file is made, not afterwards.
#include "fw_file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fw_error.hpp"

namespace oac::fw
{

namespace
{

class file
{
public:
	file(const std::string &path, int flags, unsigned mode = 0)
		: path_(path), fd_(open(path.c_str(), flags | O_CLOEXEC, mode))
	{
		if (fd_ < 0)
			fail(errno);
	}
	~file() { close(fd_); }
	file(const file &) = delete;
	file &operator=(const file &) = delete;

	int fd() const { return fd_; }

	[[noreturn]] void fail(int code) const
	{
		throw error(code, path_ + ": " + std::strerror(code));
	}

private:
	std::string path_;
	int fd_;
};

void write_all(const file &to, std::span<const std::uint8_t> content)
{
	while (!content.empty()) {
		const ssize_t n = write(to.fd(), content.data(), content.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			to.fail(errno);
		content = content.subspan(static_cast<std::size_t>(n));
	}
	if (fsync(to.fd()) != 0 && errno != EINVAL && errno != EROFS)
		to.fail(errno);
}

} // namespace

bytes read_file(const std::string &path, std::size_t max)
{
	const file from(path, O_RDONLY);
	bytes content;
	bytes chunk(64 * 1024);

	for (;;) {
		const ssize_t n = read(from.fd(), chunk.data(), chunk.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			from.fail(errno);
		if (n == 0)
			return content;
		if (content.size() + static_cast<std::size_t>(n) > max)
			from.fail(EFBIG);
		content.insert(content.end(), chunk.begin(), chunk.begin() + n);
	}
}

void replace_file(const std::string &path, std::span<const std::uint8_t> content)
{
	struct stat info = {};

	/* A pipe or /dev/stdout cannot be replaced, only written. */
	if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
		write_all(file(path, O_WRONLY), content);
		return;
	}

	const std::string next = path + ".tmp" + std::to_string(getpid());
	{
		const file to(next, O_WRONLY | O_CREAT | O_TRUNC, 0666);
		write_all(to, content);
	}
	if (rename(next.c_str(), path.c_str()) != 0) {
		const int code = errno;
		unlink(next.c_str());
		throw error(code, path + ": " + std::strerror(code));
	}
}

void create_file(const std::string &path, std::span<const std::uint8_t> content, unsigned mode)
{
	const file to(path, O_WRONLY | O_CREAT | O_EXCL, mode);

	write_all(to, content);
}

} // namespace oac::fw
