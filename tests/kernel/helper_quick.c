/* The program that benchmarks execute: does nothing. */
int main(void)
{
	return 0;
}
