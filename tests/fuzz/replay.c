/*
 * replay FOLDER...: gives every file of each folder to a fuzz target's function, where no fuzzer is linked.
 * Fails where a folder is empty: a corpus that is not there tests nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long len = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        len = ftell(file);
    if (len < 0 || fseek(file, 0, SEEK_SET) != 0) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc((size_t)len + (len == 0)); /* to the byte, for the sanitizer */
    if (data == NULL || fread(data, 1, (size_t)len, file) != (size_t)len)
        abort();
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last line tells which one it was */
    LLVMFuzzerTestOneInput(data, (size_t)len);
    free(data);
    return 0;
}

static int
replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    unsigned count = 0;
    char path[4096];

    if (dir == NULL) {
        perror(folder);
        return 1;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (replay_file(path) != 0)
            return 1;
        count++;
    }
    closedir(dir);
    printf("%s: %u files\n", folder, count);
    return count == 0;
}

int
main(int argc, char **argv)
{
    int failed = argc < 2;

    for (int i = 1; i < argc; i++)
        failed |= replay_folder(argv[i]);
    return failed;
}
