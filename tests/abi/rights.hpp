// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Being somebody else for a while: a child process with other rights, and this process without a
// capability.
#pragma once

#include <functional>

#include <gtest/gtest.h>

namespace oac::abi
{

/* An ordinary user's id, which owns nothing here. */
constexpr unsigned nobody = 65534;

/*
 * Runs body in a child process whose real, effective and saved ids are uid: without capabilities
 * unless uid is 0. Opens devices before it changes. Failures of the child's expectations become
 * one of the caller's, with the child's text on stderr.
 */
void as_user(unsigned uid, const std::function<void()> &body);

} // namespace oac::abi
