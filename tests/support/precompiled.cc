// Carries the precompiled headers of the tests (CMakeLists.txt); nobody runs it.
int main() {}
