#include <stdio.h>

#include "counter.h"

void count_to(int n)
{
    for (int i = 1; i <= n; i++)
        printf(i == n ? "%d\n" : "%d ", i);
}
