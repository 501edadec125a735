/* A shared object like any other. */
int just_a_function(int x);
int just_a_function(int x)
{
    return x + 1;
}
