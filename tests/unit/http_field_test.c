/* http_field_test.c - known names, the grammar of names and values, and lists. */
#include "http_support.h"

TEST("every known name is found in any case, and nothing else is")
{
    for (FieldId id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++) {
        Span name = exact_copy(field_name(id));
        EXPECT(name.len > 0 && field_id(span_str(name)) == id);
        EXPECT(field_name_valid(span_str(name)));
        for (size_t i = 0; i < name.len; i++) {
            uint8_t was = name.at[i];
            name.at[i] = was >= 'a' && was <= 'z' ? (uint8_t)(was - 32) : was;
            EXPECT(field_id(span_str(name)) == id);
            for (unsigned c = 0; c < 256; c++) {
                name.at[i] = (uint8_t)c;
                EXPECT(byte_lower((uint8_t)c) == was ? field_id(span_str(name)) == id
                                                     : field_id(span_str(name)) != id);
            }
            name.at[i] = (uint8_t)(was >= 'a' && was <= 'z' ? was - 32 : was);
        }
        EXPECT(field_id(span_str(name)) == id);
        EXPECT(field_id(str_take(span_str(name), name.len - 1)) != id);
        free(name.at);
    }
    EXPECT(field_id(S("")) == FIELD_OTHER);
    EXPECT(field_id(S("accept")) == FIELD_OTHER);
}
