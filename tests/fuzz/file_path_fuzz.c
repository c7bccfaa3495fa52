/* file_path_fuzz.c - paths of files: what comes out has no dot segment, no NUL, no backslash, no
 * slash at either end; spelt again and decoded again it is the same. Media types, too. */
#include "http/file_path.h"
#include "http/media_type.h"

#include "fuzz.h"

static void must_be_plain(Str path)
{
    MUST(str_find(path, 0, 0) == path.len && str_find(path, '\\', 0) == path.len);
    Str rest = path;
    for (bool more = path.len > 0; more;) {
        StrCut cut = str_cut(rest, '/');
        MUST(cut.head.len > 0 && !str_equal(cut.head, S(".")) && !str_equal(cut.head, S("..")));
        more = cut.found;
        rest = cut.tail;
    }
}

static void must_come_back(Str decoded, const FilePath *was)
{
    uint8_t *bytes = (uint8_t *)malloc(3 * decoded.len + 2);
    uint8_t *again = (uint8_t *)malloc(3 * decoded.len + 2);
    if (!bytes || !again) {
        abort();
    }
    Text spelt = text_in(span_of(bytes, 3 * decoded.len + 2));
    Text twice = text_in(span_of(again, 3 * decoded.len + 2));
    text_byte(&spelt, '/');
    file_path_encode(decoded, &spelt);
    if (was->directory && decoded.len > 0) {
        text_byte(&spelt, '/');
    }
    MUST(!spelt.overflow && str_peek(text_str(&spelt), 1) != '/');
    for (size_t i = 0; i < spelt.len; i++) {
        MUST(bytes[i] > ' ' && bytes[i] < 0x7f && bytes[i] != '\\' && bytes[i] != '"');
    }
    FilePath found = file_path_decode(text_str(&spelt), &twice);
    MUST(found.verdict == FILE_PATH_PLAIN && found.directory == was->directory);
    MUST(found.hidden == was->hidden && str_equal(text_str(&twice), decoded));
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span path = fuzz_copy(str_take(str_of(data, size), 4096));
    Span room = fuzz_copy(span_str(path));
    Text out = text_in(room);
    FilePath found = file_path_decode(span_str(path), &out);
    MUST(!out.overflow);
    if (found.verdict != FILE_PATH_IMPOSSIBLE) {
        must_be_plain(text_str(&out));
        must_come_back(text_str(&out), &found);
    }
    MUST(media_type_of(span_str(path)).len > 0);
    free(path.at);
    free(room.at);
    return 0;
}
