// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "rights.hpp"

#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

namespace oac::abi
{

void as_user(unsigned uid, const std::function<void()> &body)
{
	int status = 0;

	std::fflush(nullptr);
	const pid_t child = fork();
	ASSERT_GE(child, 0);
	if (child == 0) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(2);
		body();
		std::fflush(nullptr);
		_exit(testing::Test::HasFailure());
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_TRUE(WIFEXITED(status)) << "the child was ended by signal " << WTERMSIG(status);
	EXPECT_EQ(WEXITSTATUS(status), 0) << "the child, as user " << uid;
}

} // namespace oac::abi
