/* media_type.c - extensions and what they stand for: a table in byte order.
 *
 * Chosen by hand after the registry of media types. Text says utf-8: a file in another encoding
 * needs a declaration of its own. What a browser would run instead of showing it (scripts of the
 * server's side) is plain text. Compressed forms of other files have no row (an .svgz would need a
 * Content-Encoding, too). */
#include "http/media_type.h"

static const struct MediaRow {
    uint8_t extension[MEDIA_EXTENSION_MAX]; /* zeros after it */
    Str type;
} rows[] = {
    {"3g2", S_INIT("video/3gpp2")},
    {"3gp", S_INIT("video/3gpp")},
    {"7z", S_INIT("application/x-7z-compressed")},
    {"aac", S_INIT("audio/aac")},
    {"ai", S_INIT("application/postscript")},
    {"apk", S_INIT("application/vnd.android.package-archive")},
    {"apng", S_INIT("image/apng")},
    {"appcache", S_INIT("text/cache-manifest; charset=utf-8")},
    {"asc", S_INIT("text/plain; charset=utf-8")},
    {"asm", S_INIT("text/plain; charset=utf-8")},
    {"atom", S_INIT("application/atom+xml")},
    {"avi", S_INIT("video/x-msvideo")},
    {"avif", S_INIT("image/avif")},
    {"azw", S_INIT("application/vnd.amazon.ebook")},
    {"bash", S_INIT("text/plain; charset=utf-8")},
    {"bib", S_INIT("text/plain; charset=utf-8")},
    {"bin", S_INIT("application/octet-stream")},
    {"bmp", S_INIT("image/bmp")},
    {"br", S_INIT("application/octet-stream")},
    {"bz2", S_INIT("application/x-bzip2")},
    {"c", S_INIT("text/plain; charset=utf-8")},
    {"cc", S_INIT("text/plain; charset=utf-8")},
    {"cer", S_INIT("application/pkix-cert")},
    {"cfg", S_INIT("text/plain; charset=utf-8")},
    {"class", S_INIT("application/java-vm")},
    {"conf", S_INIT("text/plain; charset=utf-8")},
    {"cpp", S_INIT("text/plain; charset=utf-8")},
    {"crl", S_INIT("application/pkix-crl")},
    {"crt", S_INIT("application/x-x509-ca-cert")},
    {"css", S_INIT("text/css; charset=utf-8")},
    {"csv", S_INIT("text/csv; charset=utf-8")},
    {"dart", S_INIT("text/plain; charset=utf-8")},
    {"deb", S_INIT("application/vnd.debian.binary-package")},
    {"der", S_INIT("application/x-x509-ca-cert")},
    {"diff", S_INIT("text/plain; charset=utf-8")},
    {"dmg", S_INIT("application/x-apple-diskimage")},
    {"doc", S_INIT("application/msword")},
    {"docx",
     S_INIT("application/vnd.openxmlformats-officedocument.wordprocessingml.document")},
    {"dtd", S_INIT("application/xml-dtd")},
    {"ear", S_INIT("application/java-archive")},
    {"eot", S_INIT("application/vnd.ms-fontobject")},
    {"eps", S_INIT("application/postscript")},
    {"epub", S_INIT("application/epub+zip")},
    {"exe", S_INIT("application/vnd.microsoft.portable-executable")},
    {"flac", S_INIT("audio/flac")},
    {"geojson", S_INIT("application/geo+json")},
    {"gif", S_INIT("image/gif")},
    {"glb", S_INIT("model/gltf-binary")},
    {"gltf", S_INIT("model/gltf+json")},
    {"go", S_INIT("text/plain; charset=utf-8")},
    {"gpx", S_INIT("application/gpx+xml")},
    {"gz", S_INIT("application/gzip")},
    {"h", S_INIT("text/plain; charset=utf-8")},
    {"heic", S_INIT("image/heic")},
    {"heif", S_INIT("image/heif")},
    {"hpp", S_INIT("text/plain; charset=utf-8")},
    {"hqx", S_INIT("application/mac-binhex40")},
    {"htm", S_INIT("text/html; charset=utf-8")},
    {"html", S_INIT("text/html; charset=utf-8")},
    {"ico", S_INIT("image/vnd.microsoft.icon")},
    {"ics", S_INIT("text/calendar; charset=utf-8")},
    {"ini", S_INIT("text/plain; charset=utf-8")},
    {"iso", S_INIT("application/octet-stream")},
    {"jad", S_INIT("text/vnd.sun.j2me.app-descriptor; charset=utf-8")},
    {"jar", S_INIT("application/java-archive")},
    {"java", S_INIT("text/plain; charset=utf-8")},
    {"jfif", S_INIT("image/jpeg")},
    {"jpe", S_INIT("image/jpeg")},
    {"jpeg", S_INIT("image/jpeg")},
    {"jpg", S_INIT("image/jpeg")},
    {"js", S_INIT("text/javascript; charset=utf-8")},
    {"json", S_INIT("application/json")},
    {"json5", S_INIT("application/json5")},
    {"jsonld", S_INIT("application/ld+json")},
    {"jxl", S_INIT("image/jxl")},
    {"kdl", S_INIT("text/plain; charset=utf-8")},
    {"kml", S_INIT("application/vnd.google-earth.kml+xml")},
    {"kmz", S_INIT("application/vnd.google-earth.kmz")},
    {"less", S_INIT("text/plain; charset=utf-8")},
    {"log", S_INIT("text/plain; charset=utf-8")},
    {"lua", S_INIT("text/plain; charset=utf-8")},
    {"m3u8", S_INIT("application/vnd.apple.mpegurl")},
    {"m4a", S_INIT("audio/mp4")},
    {"m4s", S_INIT("video/iso.segment")},
    {"m4v", S_INIT("video/x-m4v")},
    {"map", S_INIT("application/json")},
    {"markdown", S_INIT("text/markdown; charset=utf-8")},
    {"md", S_INIT("text/markdown; charset=utf-8")},
    {"mid", S_INIT("audio/midi")},
    {"midi", S_INIT("audio/midi")},
    {"mjs", S_INIT("text/javascript; charset=utf-8")},
    {"mkv", S_INIT("video/matroska")},
    {"mml", S_INIT("application/mathml+xml")},
    {"mov", S_INIT("video/quicktime")},
    {"mp3", S_INIT("audio/mpeg")},
    {"mp4", S_INIT("video/mp4")},
    {"mpd", S_INIT("application/dash+xml")},
    {"mpeg", S_INIT("video/mpeg")},
    {"mpg", S_INIT("video/mpeg")},
    {"msi", S_INIT("application/octet-stream")},
    {"mts", S_INIT("video/mp2t")},
    {"ndjson", S_INIT("application/x-ndjson")},
    {"odg", S_INIT("application/vnd.oasis.opendocument.graphics")},
    {"odp", S_INIT("application/vnd.oasis.opendocument.presentation")},
    {"ods", S_INIT("application/vnd.oasis.opendocument.spreadsheet")},
    {"odt", S_INIT("application/vnd.oasis.opendocument.text")},
    {"oga", S_INIT("audio/ogg")},
    {"ogg", S_INIT("audio/ogg")},
    {"ogv", S_INIT("video/ogg")},
    {"opus", S_INIT("audio/ogg")},
    {"otf", S_INIT("font/otf")},
    {"p12", S_INIT("application/x-pkcs12")},
    {"p7b", S_INIT("application/x-pkcs7-certificates")},
    {"patch", S_INIT("text/plain; charset=utf-8")},
    {"pdf", S_INIT("application/pdf")},
    {"pem", S_INIT("application/x-pem-file")},
    {"php", S_INIT("text/plain; charset=utf-8")},
    {"pl", S_INIT("text/plain; charset=utf-8")},
    {"png", S_INIT("image/png")},
    {"ppt", S_INIT("application/vnd.ms-powerpoint")},
    {"pptx",
     S_INIT("application/vnd.openxmlformats-officedocument.presentationml.presentation")},
    {"ps", S_INIT("application/postscript")},
    {"py", S_INIT("text/plain; charset=utf-8")},
    {"rar", S_INIT("application/vnd.rar")},
    {"rb", S_INIT("text/plain; charset=utf-8")},
    {"rdf", S_INIT("application/rdf+xml")},
    {"rpm", S_INIT("application/x-rpm")},
    {"rs", S_INIT("text/plain; charset=utf-8")},
    {"rss", S_INIT("application/rss+xml")},
    {"rst", S_INIT("text/plain; charset=utf-8")},
    {"rtf", S_INIT("application/rtf")},
    {"sass", S_INIT("text/plain; charset=utf-8")},
    {"scss", S_INIT("text/plain; charset=utf-8")},
    {"sh", S_INIT("text/plain; charset=utf-8")},
    {"shtml", S_INIT("text/html; charset=utf-8")},
    {"sql", S_INIT("text/plain; charset=utf-8")},
    {"stl", S_INIT("model/stl")},
    {"svg", S_INIT("image/svg+xml")},
    {"swf", S_INIT("application/vnd.adobe.flash.movie")},
    {"tar", S_INIT("application/x-tar")},
    {"tex", S_INIT("text/plain; charset=utf-8")},
    {"text", S_INIT("text/plain; charset=utf-8")},
    {"tgz", S_INIT("application/gzip")},
    {"tif", S_INIT("image/tiff")},
    {"tiff", S_INIT("image/tiff")},
    {"toml", S_INIT("application/toml")},
    {"ts", S_INIT("video/mp2t")},
    {"tsv", S_INIT("text/tab-separated-values; charset=utf-8")},
    {"ttc", S_INIT("font/collection")},
    {"ttf", S_INIT("font/ttf")},
    {"txt", S_INIT("text/plain; charset=utf-8")},
    {"vcf", S_INIT("text/vcard; charset=utf-8")},
    {"vtt", S_INIT("text/vtt; charset=utf-8")},
    {"war", S_INIT("application/java-archive")},
    {"wasm", S_INIT("application/wasm")},
    {"wat", S_INIT("text/plain; charset=utf-8")},
    {"wav", S_INIT("audio/wav")},
    {"weba", S_INIT("audio/webm")},
    {"webm", S_INIT("video/webm")},
    {"webmanifest", S_INIT("application/manifest+json")},
    {"webp", S_INIT("image/webp")},
    {"wmv", S_INIT("video/x-ms-wmv")},
    {"woff", S_INIT("font/woff")},
    {"woff2", S_INIT("font/woff2")},
    {"xht", S_INIT("application/xhtml+xml")},
    {"xhtml", S_INIT("application/xhtml+xml")},
    {"xls", S_INIT("application/vnd.ms-excel")},
    {"xlsx", S_INIT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")},
    {"xml", S_INIT("application/xml")},
    {"xsd", S_INIT("application/xml")},
    {"xsl", S_INIT("application/xml")},
    {"xslt", S_INIT("application/xslt+xml")},
    {"xz", S_INIT("application/x-xz")},
    {"yaml", S_INIT("application/yaml")},
    {"yml", S_INIT("application/yaml")},
    {"zip", S_INIT("application/zip")},
    {"zst", S_INIT("application/zstd")},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* Where the extension begins: after the last dot of the last segment; path.len where the name has
 * none, or only begins with one. */
static size_t extension_at(Str path)
{
    size_t at = path.len;
    for (size_t i = path.len; i > 0 && str_at(path, i - 1) != '/'; i--) {
        bool named = i > 1 && str_at(path, i - 2) != '/';
        if (str_at(path, i - 1) == '.' && at == path.len && named) {
            at = i;
        }
    }
    return at;
}

/* Byte order of what is at `at`, in lower case, and the row's: below, equal to or above 0. */
static int compare_at(Str path, size_t at, const struct MediaRow *row)
{
    for (size_t i = 0; i < MEDIA_EXTENSION_MAX; i++) {
        size_t k = at + i;
        uint8_t c = k < path.len ? byte_lower(str_at(path, k)) : 0;
        if (c != row->extension[i]) {
            return c < row->extension[i] ? -1 : 1;
        }
    }
    return 0;
}

Str media_type_of(Str path)
{
    size_t at = extension_at(path);
    size_t bytes = path.len - at;
    size_t from = 0;
    size_t to = bytes > 0 && bytes <= MEDIA_EXTENSION_MAX ? ROWS : 0;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (middle >= ROWS) {
            break; /* it never is; said for the proof */
        }
        int order = compare_at(path, at, &rows[middle]);
        if (order == 0) {
            return rows[middle].type;
        }
        if (order < 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return S("application/octet-stream");
}
