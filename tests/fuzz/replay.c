/* replay.c - runs a fuzz target over the files of its corpus, where libFuzzer is not linked.
 *
 *     replay_TARGET DIRECTORY...
 *
 * A property that does not hold stops the program, after the file that broke it was named. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

#define FILE_BYTES_MAX 65536

static Span file_read(const char *path)
{
    static uint8_t bytes[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return fuzz_copy(str_of(bytes, len));
}

static unsigned replay_directory(const char *directory)
{
    unsigned count = 0;
    DIR *dir = opendir(directory);
    if (!dir) {
        perror(directory);
        exit(1);
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char path[4096];
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) {
            continue;
        }
        fprintf(stderr, "%s\n", path);
        Span input = file_read(path);
        LLVMFuzzerTestOneInput(input.at, input.len);
        free(input.at);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay_directory(argv[i]);
    }
    printf("%u passed, 0 failed\n", count);
    return count == 0;
}
