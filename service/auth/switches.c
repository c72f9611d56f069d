#include "service/auth/switches.h"

#include "proto/bytes.h"

bool
sa_switch_is_on(SA_UNUSED enum sa_switch rule)
{
    return true;
}
