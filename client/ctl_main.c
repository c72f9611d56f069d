#include "client/ctl.h"

#include <stdio.h>
#include <sys/resource.h>

static char stdout_buffer[BUFSIZ];

int
main(int argc, char **argv)
{
    /* Passwords and tokens pass through here: none of them may end in a core file. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setvbuf(stdout, stdout_buffer, _IOFBF, sizeof(stdout_buffer));
    sa_ctl_json_start();
    enum sa_ctl_exit result = sa_ctl_run(argc > 0 ? argc - 1 : 0, argv + 1);
    if (fflush(stdout) != 0 && result == SA_CTL_OK) {
        sa_ctl_complain("the output could not be written");
        result = SA_CTL_BROKEN;
    }
    sa_wipe(stdout_buffer, sizeof(stdout_buffer));
    return (int)result;
}
