/* media_type.h - the media type of a file, by the extension of its name. Pure. */
#ifndef HTTP_MEDIA_TYPE_H
#define HTTP_MEDIA_TYPE_H

#include "base/str.h"

#define MEDIA_EXTENSION_MAX 12u /* longer ones are not known */

/* What a Content-Type says of the file with this path: for text with charset=utf-8, for a name that
 * says nothing "application/octet-stream". Case does not matter. */
Str media_type_of(Str path);

#endif
