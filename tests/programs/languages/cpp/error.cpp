#include <iostream>

int main() {
    std::cerr << "broken\n";
    return 1;
}
