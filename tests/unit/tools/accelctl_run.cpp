// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Runs the built accelctl as a user would.
#include "accelctl_run.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace
{

struct scratch_directory {
	scratch_directory()
	{
		path = (std::filesystem::temp_directory_path() / "accelctl-XXXXXX").string();
		if (!mkdtemp(path.data()))
			throw std::runtime_error("no scratch directory");
		std::filesystem::permissions(path, std::filesystem::perms(0755));
	}
	~scratch_directory() { std::filesystem::remove_all(path); }
	std::string path;
};

std::string content(const std::string &path)
{
	std::ifstream from(path, std::ios::binary);

	return { std::istreambuf_iterator<char>(from), {} };
}

} // namespace

const std::string &scratch()
{
	static const scratch_directory directory;

	return directory.path;
}

nlohmann::json run_result::json() const
{
	const auto parsed = nlohmann::json::parse(out, nullptr, false);

	EXPECT_FALSE(parsed.is_discarded()) << out << err;
	return parsed;
}

run_result run(const std::string &arguments, const std::string &before)
{
	const std::string out = scratch() + "/out", err = scratch() + "/err";
	const bool has_sockets = std::getenv("ACCEL_SOCKETS") != nullptr;
	const std::string cards = has_sockets ? "" : "ACCEL_EMU=2 ";
	const int status = std::system(("exec 2>" + err + " >" + out + "; " + cards + before + " " +
					ACCELCTL + " " + arguments)
					       .c_str());
	return { WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(out), content(err) };
}

run_result run_with_lie(const std::string &lie, const std::string &arguments)
{
	const char *const given = std::getenv("ASAN_OPTIONS");
	const std::string options = given ? std::string(given) + ":" : "";

	return run(arguments, "ACCELCTL_LIE=" + lie + " ASAN_OPTIONS=" + options +
				      "verify_asan_link_order=0 LD_PRELOAD=" ACCELCTL_SHIM);
}

std::string firmware(const std::string &name)
{
	return FIRMWARE_DIRECTORY "/" + name;
}
