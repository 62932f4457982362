"""Which task runs when and where: estimates from measurements, critical paths, least makespan.

Pure: it knows neither tables nor requests. After the scheduler of AOSC's aoinb: the
work of packages and the speed of machines from least squares on the logarithm of processor seconds
with glibc as 1, parallel efficiency linear in the number of cores, then a program that minimises
the makespan under the limits of memory and disk.
"""
