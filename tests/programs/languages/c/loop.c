int main(void) {
    volatile int on = 1;
    while (on);
}
