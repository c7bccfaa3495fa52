/* schema.c - looking things up in the grammar; its tables are the schema_*.c beside it. */
#include "config/schema.h"

const SchemaNode *schema_at(const SchemaNode *node, size_t i)
{
    const SchemaNode *child = &node->children[i];
    return child->link ? child->link : child;
}

size_t schema_index(const SchemaNode *node, Str name)
{
    size_t any = node->child_count;
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        if (child->flags & SCHEMA_ANY_NAME) {
            any = i;
        } else if (str_equal(child->name, name)) {
            return i;
        }
    }
    return any;
}

const SchemaNode *schema_child(const SchemaNode *node, Str name)
{
    size_t i = schema_index(node, name);
    return i < node->child_count ? schema_at(node, i) : NULL;
}

const SchemaItem *schema_property(const SchemaNode *node, Str name)
{
    for (size_t i = 0; i < node->property_count; i++) {
        if (str_equal(node->properties[i].name, name)) {
            return &node->properties[i];
        }
    }
    return NULL;
}

const SchemaNode *schema_variant_at(const SchemaNode *node, size_t i)
{
    const SchemaNode *variant = &node->variants[i];
    return variant->link ? variant->link : variant;
}

const SchemaNode *schema_variant(const SchemaNode *node, Str name)
{
    for (size_t i = 0; i < node->variant_count; i++) {
        if (str_equal(schema_variant_at(node, i)->name, name)) {
            return schema_variant_at(node, i);
        }
    }
    return NULL;
}

Str schema_type_name(SchemaType type)
{
    static const Str names[] = {
#define X(name, varies, manual, takes) S_INIT(manual),
        SCHEMA_TYPE_TABLE(X)
#undef X
    };
    return names[type];
}

Str schema_type_takes(SchemaType type)
{
    static const Str texts[] = {
#define X(name, varies, manual, takes) S_INIT(takes),
        SCHEMA_TYPE_TABLE(X)
#undef X
    };
    return texts[type];
}

bool schema_type_varies(SchemaType type)
{
    static const bool list[] = {
#define X(name, varies, manual, takes) varies,
        SCHEMA_TYPE_TABLE(X)
#undef X
    };
    return list[type];
}

bool schema_next_choice(Str *choices, Str *ret_word)
{
    if (choices->len == 0) {
        return false;
    }
    StrCut cut = str_cut(*choices, '|');
    *ret_word = cut.head;
    *choices = cut.tail;
    return true;
}

bool schema_has_choice(Str choices, Str word)
{
    Str each;
    while (schema_next_choice(&choices, &each)) {
        if (str_equal(each, word)) {
            return true;
        }
    }
    return false;
}
