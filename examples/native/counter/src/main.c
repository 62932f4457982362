#include <stdlib.h>

#include "counter.h"

int main(int argc, char **argv)
{
    count_to(argc > 1 ? atoi(argv[1]) : 10);
    return 0;
}
