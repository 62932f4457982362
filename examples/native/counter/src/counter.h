/* Count from 1 to n, with blanks between. */
void count_to(int n);
