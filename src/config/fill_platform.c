/* fill_platform.c - the system's own authorities: the first file of them that there is. */
#include "config/check.h"
#include "config/fill.h"

/* Where the system's authorities are, on the systems that there are. */
static const Str platform_paths[] = {
    S_INIT("/etc/ssl/certs/ca-certificates.crt"), /* Debian, Arch, Gentoo */
    S_INIT("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"), /* Fedora, RHEL */
    S_INIT("/etc/pki/tls/certs/ca-bundle.crt"),
    S_INIT("/etc/ssl/ca-bundle.pem"), /* SUSE */
    S_INIT("/etc/ssl/cert.pem"),      /* Alpine */
};

static bool is_platform(Str path)
{
    bool found = false;
    for (size_t i = 0; i < SCHEMA_COUNT(platform_paths); i++) {
        found = found || str_equal(path, platform_paths[i]);
    }
    return found;
}

/* The system's authorities are where they were: nor has an earlier place got a file. */
static bool is_same(const Filler *f, const Settings *base)
{
    bool same = base->platform_roots.len > 0 && !f->known.list[base->platform_file].changed;
    for (size_t i = 0; same && f->files && i < base->platform_file; i++) {
        const FileSettings *was = &base->files[i];
        same = !is_platform(was->path) || f->known.list[i].now == was->mark;
    }
    return same;
}

void fill_platform_open(Filler *f)
{
    const Settings *base = f->base;
    if (base && is_same(f, base)) {
        f->platform_roots = base->platform_roots;
        f->platform_identity = base->platform_identity;
        f->platform_file = base->platform_file;
    }
}

Err fill_platform_roots(Filler *f, Location at, bool *io_good)
{
    for (size_t i = 0; i < SCHEMA_COUNT(platform_paths) && f->platform_roots.len == 0; i++) {
        uint32_t place = 0;
        if (fill_file(f, platform_paths[i], &place) == ERR_MEMORY) {
            return ERR_MEMORY;
        }
        const FillFile *file = &f->known.list[place];
        f->platform_roots = file->failed ? STR_NONE : file->file.bytes;
        f->platform_identity = file->file.identity;
        f->platform_file = place;
    }
    if (f->platform_roots.len == 0 && f->files) {
        check_report(f->checker, SEVERITY_ERROR, where_at(at), S("add ca-path=\"FILE\""),
                     "this system has no file of trusted authorities");
        *io_good = false;
    }
    return f->platform_roots.len > 0 ? fill_name_file(f, f->platform_file) : ERR_OK;
}

void fill_platform(const Filler *f, Settings *settings)
{
    settings->platform_roots = f->platform_roots;
    settings->platform_identity = f->platform_identity;
    settings->platform_file = f->platform_file;
}
