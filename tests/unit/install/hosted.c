/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program of a user, built against the installed headers by test_install.py.
 */
#include <stdio.h>
#include <string.h>

#include <plx/app.h>
#include <plx/attach.h>
#include <plx/engine.h>

int
main(void)
{
	struct plx_conn_id id = plx_conn_id_make(1, 2, 3);

	if (strcmp(plx_version(), PLX_VERSION) != 0 || plx_conn_id_slot(id) != 2)
		return 1;
	printf("%s: %s\n", plx_version(), plx_strerror(PLX_E_NOMEM));
	return 0;
}
