/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx/engine.h>
#include <plx/version.h>

const char *
plx_version(void)
{
	return PLX_VERSION;
}
