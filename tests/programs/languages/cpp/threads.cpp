#include <atomic>
#include <future>
#include <iostream>
#include <thread>
#include <vector>

int main() {
    std::atomic<long> sum = 0;
    {
        std::vector<std::jthread> threads;
        for (long i = 0; i < 4; i++) threads.emplace_back([&sum, i] { sum += i * i; });
    }
    auto later = std::async(std::launch::async, [] { return 14L; });
    std::cout << (later.get() == sum ? sum.load() : -1) << "\n";
}
