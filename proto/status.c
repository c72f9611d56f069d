#include "status.h"

#include "bytes.h"

static const struct sa_status_row table[] = {
#define STATUS(name, wire, grpc, http, oauth, pam, reason, words)                                            \
    {SA_##name, grpc, http, #name, oauth, #pam, reason, words},
#include "status.def"
#undef STATUS
};

static const struct sa_status_row *
find(unsigned wire)
{
    for (size_t i = 0; i < SA_COUNT(table); i++)
        if ((unsigned)table[i].status == wire)
            return &table[i];
    return NULL;
}

const struct sa_status_row *
sa_status_row(enum sa_status status)
{
    const struct sa_status_row *row = find((unsigned)status);
    return row != NULL ? row : find(SA_INTERNAL);
}

enum sa_status
sa_status_from_wire(uint16_t wire)
{
    if (wire == SA_UNSET || wire >= SA_NO_DAEMON || find(wire) == NULL)
        return SA_MALFORMED;
    return (enum sa_status)wire;
}

const struct sa_status_row *
sa_status_table(unsigned *ret_count)
{
    *ret_count = SA_COUNT(table);
    return table;
}
