// A shared library that is no plugin.
int edupulse_test_number() { return 1; }
