/* media_type.c - extensions and what they stand for: a table in byte order.
 *
 * Chosen by hand after the registry of media types. Text says utf-8: a file in another encoding
 * needs a declaration of its own. What a browser would run in place of showing it (scripts of the
 * server's side) is plain text. Compressed forms of other files have no row (an .svgz would need a
 * Content-Encoding, too). */
#include "http/media_type.h"

static const struct MediaRow {
    Str extension;
    Str type;
} rows[] = {
    {S_INIT("3g2"), S_INIT("video/3gpp2")},
    {S_INIT("3gp"), S_INIT("video/3gpp")},
    {S_INIT("7z"), S_INIT("application/x-7z-compressed")},
    {S_INIT("aac"), S_INIT("audio/aac")},
    {S_INIT("ai"), S_INIT("application/postscript")},
    {S_INIT("apk"), S_INIT("application/vnd.android.package-archive")},
    {S_INIT("apng"), S_INIT("image/apng")},
    {S_INIT("appcache"), S_INIT("text/cache-manifest; charset=utf-8")},
    {S_INIT("asc"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("asm"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("atom"), S_INIT("application/atom+xml")},
    {S_INIT("avi"), S_INIT("video/x-msvideo")},
    {S_INIT("avif"), S_INIT("image/avif")},
    {S_INIT("azw"), S_INIT("application/vnd.amazon.ebook")},
    {S_INIT("bash"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("bib"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("bin"), S_INIT("application/octet-stream")},
    {S_INIT("bmp"), S_INIT("image/bmp")},
    {S_INIT("br"), S_INIT("application/octet-stream")},
    {S_INIT("bz2"), S_INIT("application/x-bzip2")},
    {S_INIT("c"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("cc"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("cer"), S_INIT("application/pkix-cert")},
    {S_INIT("cfg"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("class"), S_INIT("application/java-vm")},
    {S_INIT("conf"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("cpp"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("crl"), S_INIT("application/pkix-crl")},
    {S_INIT("crt"), S_INIT("application/x-x509-ca-cert")},
    {S_INIT("css"), S_INIT("text/css; charset=utf-8")},
    {S_INIT("csv"), S_INIT("text/csv; charset=utf-8")},
    {S_INIT("dart"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("deb"), S_INIT("application/vnd.debian.binary-package")},
    {S_INIT("der"), S_INIT("application/x-x509-ca-cert")},
    {S_INIT("diff"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("dmg"), S_INIT("application/x-apple-diskimage")},
    {S_INIT("doc"), S_INIT("application/msword")},
    {S_INIT("docx"),
     S_INIT("application/vnd.openxmlformats-officedocument.wordprocessingml.document")},
    {S_INIT("dtd"), S_INIT("application/xml-dtd")},
    {S_INIT("ear"), S_INIT("application/java-archive")},
    {S_INIT("eot"), S_INIT("application/vnd.ms-fontobject")},
    {S_INIT("eps"), S_INIT("application/postscript")},
    {S_INIT("epub"), S_INIT("application/epub+zip")},
    {S_INIT("exe"), S_INIT("application/vnd.microsoft.portable-executable")},
    {S_INIT("flac"), S_INIT("audio/flac")},
    {S_INIT("geojson"), S_INIT("application/geo+json")},
    {S_INIT("gif"), S_INIT("image/gif")},
    {S_INIT("glb"), S_INIT("model/gltf-binary")},
    {S_INIT("gltf"), S_INIT("model/gltf+json")},
    {S_INIT("go"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("gpx"), S_INIT("application/gpx+xml")},
    {S_INIT("gz"), S_INIT("application/gzip")},
    {S_INIT("h"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("heic"), S_INIT("image/heic")},
    {S_INIT("heif"), S_INIT("image/heif")},
    {S_INIT("hpp"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("hqx"), S_INIT("application/mac-binhex40")},
    {S_INIT("htm"), S_INIT("text/html; charset=utf-8")},
    {S_INIT("html"), S_INIT("text/html; charset=utf-8")},
    {S_INIT("ico"), S_INIT("image/vnd.microsoft.icon")},
    {S_INIT("ics"), S_INIT("text/calendar; charset=utf-8")},
    {S_INIT("ini"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("iso"), S_INIT("application/octet-stream")},
    {S_INIT("jad"), S_INIT("text/vnd.sun.j2me.app-descriptor; charset=utf-8")},
    {S_INIT("jar"), S_INIT("application/java-archive")},
    {S_INIT("java"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("jfif"), S_INIT("image/jpeg")},
    {S_INIT("jpe"), S_INIT("image/jpeg")},
    {S_INIT("jpeg"), S_INIT("image/jpeg")},
    {S_INIT("jpg"), S_INIT("image/jpeg")},
    {S_INIT("js"), S_INIT("text/javascript; charset=utf-8")},
    {S_INIT("json"), S_INIT("application/json")},
    {S_INIT("json5"), S_INIT("application/json5")},
    {S_INIT("jsonld"), S_INIT("application/ld+json")},
    {S_INIT("jxl"), S_INIT("image/jxl")},
    {S_INIT("kdl"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("kml"), S_INIT("application/vnd.google-earth.kml+xml")},
    {S_INIT("kmz"), S_INIT("application/vnd.google-earth.kmz")},
    {S_INIT("less"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("log"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("lua"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("m3u8"), S_INIT("application/vnd.apple.mpegurl")},
    {S_INIT("m4a"), S_INIT("audio/mp4")},
    {S_INIT("m4s"), S_INIT("video/iso.segment")},
    {S_INIT("m4v"), S_INIT("video/x-m4v")},
    {S_INIT("map"), S_INIT("application/json")},
    {S_INIT("markdown"), S_INIT("text/markdown; charset=utf-8")},
    {S_INIT("md"), S_INIT("text/markdown; charset=utf-8")},
    {S_INIT("mid"), S_INIT("audio/midi")},
    {S_INIT("midi"), S_INIT("audio/midi")},
    {S_INIT("mjs"), S_INIT("text/javascript; charset=utf-8")},
    {S_INIT("mkv"), S_INIT("video/matroska")},
    {S_INIT("mml"), S_INIT("application/mathml+xml")},
    {S_INIT("mov"), S_INIT("video/quicktime")},
    {S_INIT("mp3"), S_INIT("audio/mpeg")},
    {S_INIT("mp4"), S_INIT("video/mp4")},
    {S_INIT("mpd"), S_INIT("application/dash+xml")},
    {S_INIT("mpeg"), S_INIT("video/mpeg")},
    {S_INIT("mpg"), S_INIT("video/mpeg")},
    {S_INIT("msi"), S_INIT("application/octet-stream")},
    {S_INIT("mts"), S_INIT("video/mp2t")},
    {S_INIT("ndjson"), S_INIT("application/x-ndjson")},
    {S_INIT("odg"), S_INIT("application/vnd.oasis.opendocument.graphics")},
    {S_INIT("odp"), S_INIT("application/vnd.oasis.opendocument.presentation")},
    {S_INIT("ods"), S_INIT("application/vnd.oasis.opendocument.spreadsheet")},
    {S_INIT("odt"), S_INIT("application/vnd.oasis.opendocument.text")},
    {S_INIT("oga"), S_INIT("audio/ogg")},
    {S_INIT("ogg"), S_INIT("audio/ogg")},
    {S_INIT("ogv"), S_INIT("video/ogg")},
    {S_INIT("opus"), S_INIT("audio/ogg")},
    {S_INIT("otf"), S_INIT("font/otf")},
    {S_INIT("p12"), S_INIT("application/x-pkcs12")},
    {S_INIT("p7b"), S_INIT("application/x-pkcs7-certificates")},
    {S_INIT("patch"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("pdf"), S_INIT("application/pdf")},
    {S_INIT("pem"), S_INIT("application/x-pem-file")},
    {S_INIT("php"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("pl"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("png"), S_INIT("image/png")},
    {S_INIT("ppt"), S_INIT("application/vnd.ms-powerpoint")},
    {S_INIT("pptx"),
     S_INIT("application/vnd.openxmlformats-officedocument.presentationml.presentation")},
    {S_INIT("ps"), S_INIT("application/postscript")},
    {S_INIT("py"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("rar"), S_INIT("application/vnd.rar")},
    {S_INIT("rb"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("rdf"), S_INIT("application/rdf+xml")},
    {S_INIT("rpm"), S_INIT("application/x-rpm")},
    {S_INIT("rs"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("rss"), S_INIT("application/rss+xml")},
    {S_INIT("rst"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("rtf"), S_INIT("application/rtf")},
    {S_INIT("sass"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("scss"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("sh"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("shtml"), S_INIT("text/html; charset=utf-8")},
    {S_INIT("sql"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("stl"), S_INIT("model/stl")},
    {S_INIT("svg"), S_INIT("image/svg+xml")},
    {S_INIT("swf"), S_INIT("application/vnd.adobe.flash.movie")},
    {S_INIT("tar"), S_INIT("application/x-tar")},
    {S_INIT("tex"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("text"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("tgz"), S_INIT("application/gzip")},
    {S_INIT("tif"), S_INIT("image/tiff")},
    {S_INIT("tiff"), S_INIT("image/tiff")},
    {S_INIT("toml"), S_INIT("application/toml")},
    {S_INIT("ts"), S_INIT("video/mp2t")},
    {S_INIT("tsv"), S_INIT("text/tab-separated-values; charset=utf-8")},
    {S_INIT("ttc"), S_INIT("font/collection")},
    {S_INIT("ttf"), S_INIT("font/ttf")},
    {S_INIT("txt"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("vcf"), S_INIT("text/vcard; charset=utf-8")},
    {S_INIT("vtt"), S_INIT("text/vtt; charset=utf-8")},
    {S_INIT("war"), S_INIT("application/java-archive")},
    {S_INIT("wasm"), S_INIT("application/wasm")},
    {S_INIT("wat"), S_INIT("text/plain; charset=utf-8")},
    {S_INIT("wav"), S_INIT("audio/wav")},
    {S_INIT("weba"), S_INIT("audio/webm")},
    {S_INIT("webm"), S_INIT("video/webm")},
    {S_INIT("webmanifest"), S_INIT("application/manifest+json")},
    {S_INIT("webp"), S_INIT("image/webp")},
    {S_INIT("wmv"), S_INIT("video/x-ms-wmv")},
    {S_INIT("woff"), S_INIT("font/woff")},
    {S_INIT("woff2"), S_INIT("font/woff2")},
    {S_INIT("xht"), S_INIT("application/xhtml+xml")},
    {S_INIT("xhtml"), S_INIT("application/xhtml+xml")},
    {S_INIT("xls"), S_INIT("application/vnd.ms-excel")},
    {S_INIT("xlsx"), S_INIT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")},
    {S_INIT("xml"), S_INIT("application/xml")},
    {S_INIT("xsd"), S_INIT("application/xml")},
    {S_INIT("xsl"), S_INIT("application/xml")},
    {S_INIT("xslt"), S_INIT("application/xslt+xml")},
    {S_INIT("xz"), S_INIT("application/x-xz")},
    {S_INIT("yaml"), S_INIT("application/yaml")},
    {S_INIT("yml"), S_INIT("application/yaml")},
    {S_INIT("zip"), S_INIT("application/zip")},
    {S_INIT("zst"), S_INIT("application/zstd")},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* What stands behind the last dot of the last segment; empty where the name has none, or only
 * begins with one. */
static Str extension_of(Str path)
{
    size_t dot = path.len;
    for (size_t i = path.len; i > 0 && str_at(path, i - 1) != '/'; i--) {
        bool named = i > 1 && str_at(path, i - 2) != '/';
        if (str_at(path, i - 1) == '.' && dot == path.len && named) {
            dot = i - 1;
        }
    }
    return str_drop(path, dot + 1);
}

/* Byte order, in lower case; below, equal to or above 0. */
static int compare_nocase(Str a, Str lower)
{
    for (size_t i = 0; i < a.len && i < lower.len; i++) {
        int difference = (int)byte_lower(str_at(a, i)) - (int)str_at(lower, i);
        if (difference != 0) {
            return difference;
        }
    }
    return a.len < lower.len ? -1 : a.len > lower.len;
}

Str media_type_of(Str path)
{
    Str extension = extension_of(path);
    size_t from = 0;
    size_t to = extension.len > 0 && extension.len <= MEDIA_EXTENSION_MAX ? ROWS : 0;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_nocase(extension, rows[middle].extension);
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
