/* file_server.c - from a request to a file, and from a file to an answer (RFC 9110 §13, §14, §15).
 *
 * The path is decoded once and opened beneath the root (proxy/file_cache.h, loop/disk.h): neither
 * dot segments nor symbolic links lead out of it. What is sent is put together here as a list of
 * pieces; proxy/answer.c sends it. */
#include "filter/file_server.h"

#include "base/number.h"
#include "http/file_path.h"
#include "http/media_type.h"
#include "http/range.h"
#include "proxy/filter_call.h"

#define FIELDS_MAX 5u
#define BOUNDARY_BYTES 32u
#define PART_HEAD_BYTES 320u /* of one part: its boundary, its type and its range */
#define RANGE_TEXT_BYTES 80u

/* --- putting answers together ---------------------------------------------------------------- */

static bool add_field(FilterCall *call, Str name, Str value)
{
    Answer *answer = call_answer(call);
    if (!answer->fields) {
        answer->fields = arena_array(call_arena(call), AnswerField, FIELDS_MAX);
        answer->field_count = 0;
    }
    AnswerField *fields = (AnswerField *)(uintptr_t)answer->fields;
    if (!fields || answer->field_count >= FIELDS_MAX) {
        return false;
    }
    fields[answer->field_count++] = (AnswerField){.name = name, .value = value};
    return true;
}

/* "bytes 0-99/200", or without a range "bytes *" "/200" (RFC 9110 §14.4). */
static void print_range(Text *t, const ByteRange *range, uint64_t size)
{
    text_add(t, S("bytes "));
    if (range) {
        text_u64(t, range->from);
        text_byte(t, '-');
        text_u64(t, range->to - 1);
    } else {
        text_byte(t, '*');
    }
    text_byte(t, '/');
    text_u64(t, size);
}

static bool add_range(FilterCall *call, const ByteRange *range, uint64_t size)
{
    Span room;
    if (!arena_span(call_arena(call), RANGE_TEXT_BYTES, &room)) {
        return false;
    }
    Text t = text_in(room);
    print_range(&t, range, size);
    return add_field(call, S("Content-Range"), text_str(&t));
}

/* --- 308 ------------------------------------------------------------------------------------- */

/* To the one spelling of the path. It begins with exactly one slash and holds neither a backslash
 * nor a control character, so it never names another host. */
static Verdict redirect_path(FilterCall *call, Str decoded, bool directory)
{
    const RequestHead *r = call_request(call);
    Span room;
    if (!arena_span(call_arena(call), 3 * decoded.len + r->query.len + 4, &room)) {
        return REFUSE(FAULT_MEMORY);
    }
    Text to = text_in(room);
    text_byte(&to, '/');
    file_path_encode(decoded, &to);
    if (directory && decoded.len > 0) {
        text_byte(&to, '/');
    }
    if (r->has_query) {
        text_byte(&to, '?');
        text_add(&to, r->query);
    }
    if (to.overflow) {
        return REFUSE(FAULT_MEMORY);
    }
    call_answer(call)->location = text_str(&to);
    call_answer(call)->status = 308;
    return ANSWERED;
}

/* --- 200, 206, 304 --------------------------------------------------------------------------- */

static bool answer_one(FilterCall *call, uint64_t from, uint64_t to)
{
    Answer *answer = call_answer(call);
    answer->piece = (AnswerPiece){.from = from, .to = to};
    answer->pieces = &answer->piece;
    answer->piece_count = to > from;
    answer->length = to - from;
    return true;
}

static bool answer_range(FilterCall *call, const ByteRange *range, uint64_t size)
{
    call_answer(call)->status = 206;
    return add_range(call, range, size) && answer_one(call, range->from, range->to);
}

/* The head of a part, with the end of what is before it (RFC 2046 §5.1.1). */
static bool part_head(FilterCall *call, Str boundary, Str type, const ByteRange *range,
                      uint64_t size, Str *ret)
{
    Span room;
    if (!arena_span(call_arena(call), PART_HEAD_BYTES, &room)) {
        return false;
    }
    Text t = text_in(room);
    text_add(&t, S("\r\n--"));
    text_add(&t, boundary);
    if (range) {
        text_add(&t, S("\r\nContent-Type: "));
        text_add(&t, type);
        text_add(&t, S("\r\nContent-Range: "));
        print_range(&t, range, size);
        text_add(&t, S("\r\n\r\n"));
    } else {
        text_add(&t, S("--\r\n"));
    }
    *ret = text_str(&t);
    return !t.overflow;
}

static bool multipart_type(FilterCall *call, Str boundary)
{
    Span room;
    if (!arena_span(call_arena(call), BOUNDARY_BYTES + 48, &room)) {
        return false;
    }
    Text t = text_in(room);
    text_add(&t, S("multipart/byteranges; boundary="));
    text_add(&t, boundary);
    call_answer(call)->content_type = text_str(&t);
    return !t.overflow;
}

/* Several ranges: multipart/byteranges (RFC 9110 §14.6). */
static bool answer_parts(FilterCall *call, const Ranges *ranges, uint64_t size)
{
    size_t count = 2 * ranges->count + 1;
    AnswerPiece *pieces = arena_array(call_arena(call), AnswerPiece, count);
    Span room;
    Str type = call_answer(call)->content_type;
    if (!pieces || !arena_span(call_arena(call), BOUNDARY_BYTES, &room)) {
        return false;
    }
    Text boundary = text_in(room);
    text_hex(&boundary, call_random(call), 16);
    text_hex(&boundary, call_random(call), 16);
    call_answer(call)->length = 0;
    for (size_t i = 0; i <= ranges->count; i++) {
        const ByteRange *range = i < ranges->count ? &ranges->list[i] : NULL;
        Str *head = &pieces[2 * i].bytes;
        if (!part_head(call, text_str(&boundary), type, range, size, head)) {
            return false;
        }
        *head = i == 0 ? str_drop(*head, 2) : *head; /* nothing is before the first */
        call_answer(call)->length += head->len;
        if (range) {
            pieces[2 * i + 1] = (AnswerPiece){.from = range->from, .to = range->to};
            call_answer(call)->length += range->to - range->from;
        }
    }
    call_answer(call)->status = 206;
    call_answer(call)->pieces = pieces;
    call_answer(call)->piece_count = count;
    return multipart_type(call, text_str(&boundary));
}

/* Range is for GET alone (RFC 9110 §14.2); a field that is repeated is none. */
static RangeVerdict ranges_of(FilterCall *call, const File *f, const Validators *v, int64_t now,
                              Ranges *ret)
{
    const Fields *fields = &call_request(call)->fields;
    const Field *field = fields_find(fields, FIELD_RANGE);
    if (!field || call_request(call)->method != METHOD_GET || !conditional_range(fields, v, now)) {
        return RANGE_IGNORED;
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == FIELD_RANGE && &fields->at[i] != field) {
            return RANGE_IGNORED;
        }
    }
    return range_judge(field->value, f->facts.size, ret);
}

static Verdict answer_body(FilterCall *call, const File *f, const Validators *v, int64_t now)
{
    Ranges ranges = {.count = 0};
    uint64_t size = f->facts.size;
    bool whole = false;
    switch (ranges_of(call, f, v, now, &ranges)) {
    case RANGE_UNSATISFIABLE:
        return add_range(call, NULL, size) ? REFUSE(FAULT_FILE_RANGE) : REFUSE(FAULT_MEMORY);
    case RANGE_SATISFIED:
        whole = ranges.count == 1 ? answer_range(call, &ranges.list[0], size)
                                  : answer_parts(call, &ranges, size);
        break;
    case RANGE_IGNORED:
        call_answer(call)->status = 200;
        whole = answer_one(call, 0, size);
        break;
    }
    return whole ? ANSWERED : REFUSE(FAULT_MEMORY);
}

/* The file is there, and pinned. */
static Verdict answer_file(FilterCall *call, const File *f)
{
    int64_t now = call_wall_s(call);
    int64_t modified = f->facts.modified_s < now ? f->facts.modified_s : now;
    Validators v = {.etag = file_etag(f), .modified = modified};
    bool whole = add_field(call, S("ETag"), v.etag) &&
                 add_field(call, S("Last-Modified"), str_of(f->modified, sizeof f->modified)) &&
                 add_field(call, S("Accept-Ranges"), S("bytes"));
    if (!whole) {
        return REFUSE(FAULT_MEMORY);
    }
    switch (conditional_judge(&call_request(call)->fields, call_request(call)->method, &v, now)) {
    case CONDITION_FAILED:
        return REFUSE(FAULT_FILE_CONDITION);
    case CONDITION_NOT_MODIFIED:
        call_answer(call)->status = 304;
        return ANSWERED;
    case CONDITION_HOLDS:
        break;
    }
    call_answer(call)->content_type = media_type_of(span_str(f->path));
    return answer_body(call, f, &v, now);
}

/* --- finding --------------------------------------------------------------------------------- */

static Verdict not_found(Err err)
{
    switch ((int)err) {
    case ERR_MISSING:
        return REFUSE(FAULT_FILE_MISSING);
    case ERR_DENIED:
        return REFUSE(FAULT_FILE_DENIED);
    case ERR_FULL:
        return REFUSE(FAULT_FILE_BUSY);
    case ERR_DESCRIPTORS:
        return REFUSE(FAULT_DESCRIPTORS);
    case ERR_MEMORY:
        return REFUSE(FAULT_MEMORY);
    default:
        return REFUSE(FAULT_FILE_ERROR);
    }
}

/* What follows the prefix, at a slash; false where the path has another one. */
static bool below_prefix(const FileServer *s, Str decoded, Str *ret)
{
    if (s->prefix.len == 0) {
        *ret = decoded;
        return true;
    }
    if (!str_starts(decoded, s->prefix)) {
        return false;
    }
    Str rest = str_drop(decoded, s->prefix.len);
    *ret = str_drop(rest, 1);
    return rest.len == 0 || str_peek(rest, 0) == '/';
}

/* Kept while the disk is asked: whether nothing was found under the path itself. */
typedef struct FileSlot {
    bool missing;
} FileSlot;

/* Whether a browser would take a page for something else: a script, a picture. */
static bool is_asset(Str path)
{
    Str type = media_type_of(path);
    return !str_equal(type, S("application/octet-stream")) && !str_starts(type, S("text/html"));
}

/* For a path that names nothing: the file that answers instead, as if it had been asked for. */
static Verdict answer_fallback(FilterCall *call, const FileServer *s, bool asset)
{
    const File *f = NULL;
    if (s->fallback.len == 0 || (asset && !s->fallback_assets)) {
        return REFUSE(FAULT_FILE_MISSING);
    }
    FileSlot *slot = (FileSlot *)call_slot(call);
    if (!slot) {
        return REFUSE(FAULT_MEMORY);
    }
    slot->missing = true;
    Err err = call_find_file(call, s->root, s->fallback, &f);
    if (err != ERR_OK) {
        return err == ERR_AGAIN ? PAUSE : not_found(err);
    }
    return f->facts.kind == FILE_KIND_DIRECTORY ? REFUSE(FAULT_FILE_MISSING) : answer_file(call, f);
}

/* A path below the root, with `found` as it was decoded from the request's. */
static Verdict answer_path(FilterCall *call, const FileServer *s, Str path, const FilePath *found,
                           Str decoded)
{
    const File *f = NULL;
    bool asset = s->fallback.len > 0 && !found->directory && is_asset(path);
    if (s->fallback.len > 0) {
        const FileSlot *slot = (const FileSlot *)call_slot(call);
        if (slot && slot->missing) {
            return answer_fallback(call, s, asset);
        }
    }
    Err err = call_find_file(call, s->root, path, &f);
    if (err == ERR_MISSING) {
        return answer_fallback(call, s, asset);
    }
    if (err != ERR_OK) {
        return err == ERR_AGAIN ? PAUSE : not_found(err);
    }
    if (f->facts.kind == FILE_KIND_DIRECTORY) {
        return found->directory ? answer_fallback(call, s, false)
                                : redirect_path(call, decoded, true);
    }
    return answer_file(call, f);
}

/* The decoded path lies in the thread's output, which nothing else needs before the answer. */
static Verdict file_server_request(FilterCall *call)
{
    const FileServer *s = (const FileServer *)call_state(call);
    if (call_request(call)->method != METHOD_GET && call_request(call)->method != METHOD_HEAD) {
        return add_field(call, S("Allow"), S("GET, HEAD")) ? REFUSE(FAULT_FILE_METHOD)
                                                        : REFUSE(FAULT_MEMORY);
    }
    Text out = text_in(call_scratch(call));
    FilePath found = file_path_decode(call_request(call)->path, &out);
    Str decoded = text_str(&out);
    Str path = STR_NONE;
    if (found.verdict == FILE_PATH_IMPOSSIBLE || (found.hidden && !s->dotfiles) ||
        !below_prefix(s, decoded, &path)) {
        return REFUSE(FAULT_FILE_MISSING);
    }
    if (found.verdict == FILE_PATH_DOUBLED || (path.len == 0 && !found.directory)) {
        return redirect_path(call, decoded, found.directory || path.len == 0);
    }
    size_t at = out.len - path.len;
    if (found.directory) {
        text_add(&out, path.len ? S("/") : S(""));
        text_add(&out, s->index);
    }
    return answer_path(call, s, str_drop(text_str(&out), at), &found, decoded);
}

const FilterKind filter_file_server = {
    .schema = {.name = S_INIT("file-server")},
    .slot_bytes = sizeof(FileSlot),
    .request = file_server_request,
};
