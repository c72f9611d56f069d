/* The descriptors that are built in: this project's messages and the gRPC services that the gateway serves
 * itself. */
#ifndef SA_GATEWAY_DESCRIPTORS_H
#define SA_GATEWAY_DESCRIPTORS_H

#include "proto/bytes.h"

#define SA_DESCRIPTORS_FILES_MAX 64u

struct sa_descriptors;

/* Read what is built in; NULL for lack of memory. Never changed afterwards, so that any thread may ask. */
struct sa_descriptors *sa_descriptors_new(void);
void sa_descriptors_free(struct sa_descriptors *descriptors);
SA_DEFINE_OWN(sa_descriptors, sa_descriptors_free)

/* Full names of the services ("secauth.v1.TokenService"), *ret_count of them; they live as long as
 * descriptors. */
const char *const *sa_descriptors_services(const struct sa_descriptors *descriptors, size_t *ret_count);
bool sa_descriptors_has_service(const struct sa_descriptors *descriptors, const char *name);

/*
 * A file and all that it imports, each as a packed google.protobuf.FileDescriptorProto, the file itself
 * first.
 *
 *   ret_files  room for SA_DESCRIPTORS_FILES_MAX; lives as long as descriptors.
 *
 * Returns how many; 0: there is no such file.
 */
size_t sa_descriptors_by_filename(const struct sa_descriptors *descriptors, const char *filename,
                                  struct sa_bytes ret_files[SA_DESCRIPTORS_FILES_MAX]);

/* The same for the file that defines a message, enum, enum value, field, oneof, service, method or extension.
 */
size_t sa_descriptors_by_symbol(const struct sa_descriptors *descriptors, const char *symbol,
                                struct sa_bytes ret_files[SA_DESCRIPTORS_FILES_MAX]);

#endif
