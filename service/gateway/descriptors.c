#include "service/gateway/descriptors.h"

#include <stdio.h>
#include <stdlib.h>

#include "google/protobuf/descriptor.pb-c.h"

/* The short names of protoc-c's long ones. */
typedef Google__Protobuf__FileDescriptorProto file_type;
typedef Google__Protobuf__DescriptorProto message_type;
typedef Google__Protobuf__EnumDescriptorProto enum_type;
typedef Google__Protobuf__ServiceDescriptorProto service_type;

/* Two google.protobuf.FileDescriptorSet, one after the other: that is one set again. Made at build by
 * embed.cmake. */
extern const unsigned char sa_descriptor_set[];
extern const size_t sa_descriptor_set_len;

struct sa_descriptors {
    Google__Protobuf__FileDescriptorSet *set;
    struct sa_bytes *packed; /* by file */
    char **services;
    size_t service_count;
};

/* --- building --- */

static bool
add_service(struct sa_descriptors *descriptors, const file_type *file, const service_type *service)
{
    char **services =
        realloc(descriptors->services, (descriptors->service_count + 1) * sizeof(*descriptors->services));

    if (services == NULL)
        return false;
    descriptors->services = services;
    if (asprintf(&services[descriptors->service_count], "%s.%s", file->package, service->name) < 0)
        return false;
    descriptors->service_count++;
    return true;
}

static bool
add_file(struct sa_descriptors *descriptors, size_t index)
{
    const file_type *file = descriptors->set->file[index];
    size_t len = google__protobuf__file_descriptor_proto__get_packed_size(file);
    uint8_t *bytes = malloc(len);

    if (bytes == NULL)
        return false;
    descriptors->packed[index] = sa_bytes(bytes, google__protobuf__file_descriptor_proto__pack(file, bytes));
    for (size_t i = 0; i < file->n_service; i++)
        if (!add_service(descriptors, file, file->service[i]))
            return false;
    return true;
}

struct sa_descriptors *
sa_descriptors_new(void)
{
    SA_OWN(sa_descriptors) descriptors = calloc(1, sizeof(*descriptors));

    if (descriptors == NULL)
        return NULL;
    descriptors->set =
        google__protobuf__file_descriptor_set__unpack(NULL, sa_descriptor_set_len, sa_descriptor_set);
    if (descriptors->set == NULL || descriptors->set->n_file > SA_DESCRIPTORS_FILES_MAX)
        return NULL;
    descriptors->packed = calloc(descriptors->set->n_file, sizeof(*descriptors->packed));
    if (descriptors->packed == NULL)
        return NULL;
    for (size_t i = 0; i < descriptors->set->n_file; i++)
        if (!add_file(descriptors, i))
            return NULL;
    return sa_descriptors_take(&descriptors);
}

void
sa_descriptors_free(struct sa_descriptors *descriptors)
{
    if (descriptors == NULL)
        return;
    for (size_t i = 0; descriptors->packed != NULL && i < descriptors->set->n_file; i++)
        free((void *)(uintptr_t)descriptors->packed[i].data);
    free(descriptors->packed);
    for (size_t i = 0; i < descriptors->service_count; i++)
        free(descriptors->services[i]);
    free(descriptors->services);
    if (descriptors->set != NULL)
        google__protobuf__file_descriptor_set__free_unpacked(descriptors->set, NULL);
    free(descriptors);
}

/* --- services --- */

const char *const *
sa_descriptors_services(const struct sa_descriptors *descriptors, size_t *ret_count)
{
    *ret_count = descriptors->service_count;
    return (const char *const *)descriptors->services;
}

bool
sa_descriptors_has_service(const struct sa_descriptors *descriptors, const char *name)
{
    for (size_t i = 0; i < descriptors->service_count; i++)
        if (strcmp(descriptors->services[i], name) == 0)
            return true;
    return false;
}

/* --- symbols --- */

/* What follows `name` and its dot in a symbol; "" where the symbol ends with it; NULL where it is another. */
static const char *
after(const char *symbol, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(symbol, name, len) != 0 || (symbol[len] != '\0' && symbol[len] != '.'))
        return NULL;
    return symbol[len] == '\0' ? symbol + len : symbol + len + 1;
}

/* Whether one of `count` things, whose first field after the base is a name, is the whole symbol. */
#define HAS_NAMED(things, count, symbol, ret)                                                                \
    for (size_t named_ = 0; named_ < (count); named_++)                                                      \
    (ret) |= strcmp((things)[named_]->name, (symbol)) == 0

static bool
enums_have(enum_type *const *enums, size_t count, const char *symbol)
{
    bool found = false;

    /* An enum's values are named beside it, not inside it. */
    HAS_NAMED(enums, count, symbol, found);
    for (size_t i = 0; i < count; i++)
        HAS_NAMED(enums[i]->value, enums[i]->n_value, symbol, found);
    return found;
}

static bool
messages_have(message_type *const *messages, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        const message_type *message = messages[i];
        const char *rest = after(symbol, message->name);
        bool found = rest != NULL && rest[0] == '\0';
        if (rest == NULL)
            continue;
        HAS_NAMED(message->field, message->n_field, rest, found);
        HAS_NAMED(message->oneof_decl, message->n_oneof_decl, rest, found);
        HAS_NAMED(message->extension, message->n_extension, rest, found);
        if (found || enums_have(message->enum_type, message->n_enum_type, rest) ||
            messages_have(message->nested_type, message->n_nested_type, rest))
            return true;
    }
    return false;
}

static bool
services_have(service_type *const *services, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        const char *rest = after(symbol, services[i]->name);
        bool found = rest != NULL && rest[0] == '\0';
        if (rest != NULL)
            HAS_NAMED(services[i]->method, services[i]->n_method, rest, found);
        if (found)
            return true;
    }
    return false;
}

static bool
file_has(const file_type *file, const char *symbol)
{
    const char *rest = after(symbol, file->package);
    bool found = false;

    if (rest == NULL || rest[0] == '\0')
        return false;
    HAS_NAMED(file->extension, file->n_extension, rest, found);
    return found || messages_have(file->message_type, file->n_message_type, rest) ||
           enums_have(file->enum_type, file->n_enum_type, rest) ||
           services_have(file->service, file->n_service, rest);
}

/* --- files --- */

/* The index of a file; n_file: none. */
static size_t
find_file(const struct sa_descriptors *descriptors, const char *filename)
{
    size_t i = 0;

    while (i < descriptors->set->n_file && strcmp(descriptors->set->file[i]->name, filename) != 0)
        i++;
    return i;
}

/* A file, then what it imports, then what these import: each once. */
static size_t
with_imports(const struct sa_descriptors *descriptors, size_t first, struct sa_bytes *ret_files)
{
    size_t order[SA_DESCRIPTORS_FILES_MAX], count = 0;
    bool seen[SA_DESCRIPTORS_FILES_MAX] = {false};

    if (first >= descriptors->set->n_file)
        return 0;
    order[count++] = first;
    seen[first] = true;
    for (size_t at = 0; at < count; at++) {
        const file_type *file = descriptors->set->file[order[at]];
        ret_files[at] = descriptors->packed[order[at]];
        for (size_t i = 0; i < file->n_dependency; i++) {
            size_t found = find_file(descriptors, file->dependency[i]);
            if (found < descriptors->set->n_file && !seen[found]) {
                seen[found] = true;
                order[count++] = found;
            }
        }
    }
    return count;
}

size_t
sa_descriptors_by_filename(const struct sa_descriptors *descriptors, const char *filename,
                           struct sa_bytes ret_files[SA_DESCRIPTORS_FILES_MAX])
{
    return with_imports(descriptors, find_file(descriptors, filename), ret_files);
}

size_t
sa_descriptors_by_symbol(const struct sa_descriptors *descriptors, const char *symbol,
                         struct sa_bytes ret_files[SA_DESCRIPTORS_FILES_MAX])
{
    size_t i = 0;

    while (i < descriptors->set->n_file && !file_has(descriptors->set->file[i], symbol))
        i++;
    return with_imports(descriptors, i, ret_files);
}
