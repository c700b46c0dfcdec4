/* What both plug-ins are told, and how they answer when that is all that is asked. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    uint64_t from, to;
    const char *nonce;
    bool oracle, probe;
} options;

/* `name=value`: an option of both, or one that `own` takes. */
static bool parse(char *argument, bool (*own)(const char *name, const char *value))
{
    char *value = strchr(argument, '=');
    if (!value) {
        return false;
    }
    *value++ = '\0';
    if (!strcmp(argument, "from")) {
        options.from = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "to")) {
        options.to = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "nonce")) {
        options.nonce = value;
    } else if (!strcmp(argument, "read")) {
        allow_reading(value);
    } else if (!strcmp(argument, "oracle")) {
        options.oracle = !strcmp(value, "on");
    } else if (!strcmp(argument, "probe")) {
        options.probe = !strcmp(value, "on");
    } else {
        return own && own(argument, value);
    }
    return true;
}

/* QEMU could load us. */
static void answer_probe(int api)
{
    printf("mcusim-plugin api %d\n", api);
    fflush(stdout);
    _exit(0);
}
