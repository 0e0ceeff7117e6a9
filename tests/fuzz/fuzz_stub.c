/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of a fuzz target without libFuzzer: replays the files given, and all files of the
 * directories given, in every test run.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long len;

	if (!f || fseek(f, 0, SEEK_END) || (len = ftell(f)) < 0 || fseek(f, 0, SEEK_SET)) {
		perror(path);
		if (f)
			fclose(f);
		return -1;
	}
	/* Exact size, so that a sanitizer sees the first byte read behind it. */
	data = malloc(len ? (size_t)len : 1);
	if (!data || fread(data, 1, (size_t)len, f) != (size_t)len) {
		perror(path);
		free(data);
		fclose(f);
		return -1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)len);
	free(data);
	replayed++;
	return 0;
}

static int
replay_dir(const char *path)
{
	char name[4096];
	struct dirent *e;
	DIR *d = opendir(path);
	int rc = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d)) && rc == 0) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		rc = replay(name);
	}
	closedir(d);
	return rc;
}

int
main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		int rc = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)
		                 ? replay_dir(argv[i])
		                 : replay(argv[i]);

		if (rc)
			return EXIT_FAILURE;
	}
	printf("%u passed, 0 failed, 0 skipped\n", replayed);
	return replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
