/* assemble.h - from a file, what it includes, and its snippets to one text (internal to the room).
 *
 *     include "PATH"             the nodes of a file, or of all files of a directory that match
 *     define NAME { nodes }      a snippet, at the top level of a file
 *     use NAME                   its nodes; it must be defined before
 *
 * What is assembled is read as if it were one file, so that everything after this (checks, what is
 * taken over from the settings before) works on texts and does not know of files. The map tells
 * where each part comes from. */
#ifndef CONFIG_ASSEMBLE_H
#define CONFIG_ASSEMBLE_H

#include "config/load.h"
#include "kdl/kdl.h"

#define ASSEMBLE_DEPTH_MAX 16u     /* files and snippets within each other */
#define ASSEMBLE_FILES_MAX 65536u
#define ASSEMBLE_PIECES_MAX 1000000u

/* Assembles the text of the file `name`. Files that have not changed since `before` (NULL: none),
 * which must outlive the result, are not read again. Mistakes go to `d`, whose text and map become
 * those of *ret; then ERR_SYNTAX. `files` NULL: an included file cannot be read. ERR_MEMORY. */
MUST_USE Err assemble(Arena *a, Str name, Str text, const ConfigFiles *files,
                      const Assembly *before, Diagnostics *d, Assembly *ret);

/* A copy with all that it names. ERR_MEMORY only. */
MUST_USE Err assembly_copy(Arena *a, const Assembly *from, Assembly *ret);

#endif
