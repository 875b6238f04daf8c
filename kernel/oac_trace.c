// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* The code of the tracepoints, once. */
#define CREATE_TRACE_POINTS
#include "oac_trace.h"
