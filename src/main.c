#include "base/mem.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    mem_tune();
    return commands_run(argc, argv);
}
