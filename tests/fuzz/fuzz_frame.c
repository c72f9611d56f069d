/* links: sa_proto */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

/* One byte, who reads; then a header. What is legal is within its bounds and is written again byte for byte.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const enum sa_frame_reader readers[] = {
        SA_FRAME_READER_CALLER,
        SA_FRAME_READER_DAEMON,
        SA_FRAME_READER_GATEWAY,
    };
    uint8_t again[SA_FRAME_HEADER_LEN];
    struct sa_frame frame;
    const char *rule;

    if (len != 1 + SA_FRAME_HEADER_LEN)
        return 0;
    enum sa_frame_reader reader = readers[data[0] % SA_COUNT(readers)];
    enum sa_status status = sa_frame_decode(data + 1, reader, &frame, &rule);
    if ((status == SA_OK) != (rule == NULL))
        abort();
    if (status != SA_OK)
        return 0;
    if (frame.name_len > SA_FRAME_NAME_MAX ||
        frame.body_len > (reader == SA_FRAME_READER_CALLER ? SA_FRAME_REPLY_MAX : SA_FRAME_REQUEST_MAX))
        abort();
    sa_frame_encode(&frame, again);
    if (memcmp(again, data + 1, sizeof(again)) != 0)
        abort();
    return 0;
}
